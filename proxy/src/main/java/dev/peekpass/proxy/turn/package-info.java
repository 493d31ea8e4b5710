/**
 * One turn of a loop: the kernel, the clock, epoll, what is counted and logged. Everything that
 * happens in a loop uses this, and it knows nothing of connections.
 */
@NullMarked
package dev.peekpass.proxy.turn;

import org.jspecify.annotations.NullMarked;
