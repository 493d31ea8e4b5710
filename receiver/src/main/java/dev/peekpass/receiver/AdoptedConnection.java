package dev.peekpass.receiver;

import dev.peekpass.wire.Metadata;
import java.nio.channels.SocketChannel;

/**
 * A connection and what the proxy says about it.
 *
 * @param channel connected TCP, in blocking mode, nothing read from it; the application closes it
 * @param metadata {@link Metadata#NONE} unless the receiver's type is {@link
 *     SocketType#ACKNOWLEDGED}
 */
public record AdoptedConnection(SocketChannel channel, Metadata metadata) {}
