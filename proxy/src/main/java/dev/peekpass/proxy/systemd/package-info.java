/**
 * What systemd passes to a service, and what a service tells it: sd_listen_fds(3), sd_notify(3).
 */
@NullMarked
package dev.peekpass.proxy.systemd;

import org.jspecify.annotations.NullMarked;
