package dev.peekpass.proxy.route;

/**
 * Where a route leads and for whom. Many routes share one.
 *
 * @param backendIndex the backend's place in the configuration, from 0
 */
record Destination(Conditions conditions, String backendName, int backendIndex) {}
