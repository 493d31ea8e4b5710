/**
 * The proxy at work: listener → peek → route → hand-off.
 *
 * <p>{@link dev.peekpass.proxy.Proxy} starts everything. Each {@code Loop} is one thread with one
 * epoll and shares nothing with the others but the configuration. A connection's descriptor is
 * owned by its {@code Connection} from accept until the loop closes it, which it does exactly once,
 * on every path.
 */
@NullMarked
package dev.peekpass.proxy;

import org.jspecify.annotations.NullMarked;
