package dev.peekpass.receiver;

import dev.peekpass.linux.Fd;
import dev.peekpass.wire.Metadata;

/**
 * A descriptor that is this process's, not inspected yet; whoever holds it closes it.
 *
 * @param metadata {@link Metadata#NONE} where a message is all there is
 */
record Arrival(Fd fd, Metadata metadata) {}
