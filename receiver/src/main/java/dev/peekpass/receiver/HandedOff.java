package dev.peekpass.receiver;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.wire.Metadata;
import java.net.InetSocketAddress;

/**
 * A connection as it was received.
 *
 * @param fd a connected TCP socket, of which nothing was read; belongs to whoever was given this
 *     object. O_NONBLOCK is as the sender left it, mostly set
 * @param inet6 whether the socket is one of AF_INET6, else AF_INET
 * @param client the address of the other end; stays right when the client leaves
 * @param metadata what the proxy says about it; {@link Metadata#NONE} unless the receiver's type is
 *     {@link SocketType#ACKNOWLEDGED}
 */
public record HandedOff(Fd fd, boolean inet6, InetSocketAddress client, Metadata metadata) {

  /** One of which nobody says anything. */
  public HandedOff(Fd fd, boolean inet6, InetSocketAddress client) {
    this(fd, inet6, client, Metadata.NONE);
  }

  /**
   * Closes the connection, which nobody has used, without waiting for what its socket may have to
   * send still.
   *
   * @param kernel the calling thread's
   */
  public void discard(Kernel kernel) {
    DescriptorRefusal.closeAtOnce(kernel, fd);
  }

  /**
   * Whether another receiver was offered it first, which may have a copy of the descriptor while it
   * hangs: then close(2) does not end the connection, and shutdown(2) does.
   */
  public boolean offeredBefore() {
    return metadata.offeredBefore();
  }
}
