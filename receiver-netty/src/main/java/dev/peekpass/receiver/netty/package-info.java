/**
 * Handed-off connections as ordinary children of a Netty {@code ServerBootstrap} on the native
 * epoll transport. {@link dev.peekpass.receiver.netty.HandOffServerChannel} is the door.
 */
@NullMarked
package dev.peekpass.receiver.netty;

import org.jspecify.annotations.NullMarked;
