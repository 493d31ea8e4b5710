package dev.peekpass.receiver;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.receiver.ClosingAside.How;

/**
 * The end of descriptors that were received and are given to nobody: no client's connection, taken
 * back, more than may be, of who may not hand off. The one place that closes them.
 *
 * <p>Whoever sent one may have let it linger (SO_LINGER, socket(7)): the close(2) of the last copy
 * waits for what was not sent yet, O_NONBLOCK or not, for as long as the sender liked. What comes
 * from a user that may hand off is told not to before it is closed. What comes from others is
 * closed {@linkplain ClosingAside aside}, and as it is: a sender that keeps a copy can hold the
 * socket's lock in a call of its own, for which setsockopt(2) would wait.
 */
final class DescriptorRefusal {
  private final Kernel kernel;
  private final ClosingAside aside;
  private final Emptying emptying;

  DescriptorRefusal(Kernel kernel, ClosingAside aside) {
    this.kernel = kernel;
    this.aside = aside;
    emptying = new Emptying(kernel);
  }

  /** Sees to it that a descriptor does not linger, and closes it. */
  static void closeAtOnce(Kernel kernel, Fd fd) {
    try {
      // ENOTSOCK where it is none.
      kernel.setLinger(fd, false, 0);
    } finally {
      kernel.close(fd);
    }
  }

  /** Closes a received descriptor; it is not the caller's any more, whatever happens. */
  void refuse(Fd received) {
    closeAtOnce(kernel, received);
  }

  /**
   * Closes a received descriptor of a user that may not hand off; it is not the caller's any more.
   */
  void refuseForeign(Fd received) {
    leave(received);
  }

  /**
   * Closes a descriptor of a connection that somebody else has now, who may let it linger; it is
   * not the caller's any more.
   */
  void leave(Fd shared) {
    if (!aside.close(shared, How.AS_IT_IS)) {
      // Not refused, which would clear an option of somebody else's connection.
      aside.closeHere(kernel, shared, How.AS_IT_IS);
    }
  }

  /** Closes a UNIX connection of a user that may not hand off, and what was sent on it. */
  void endForeign(Fd connection) {
    if (!aside.close(connection, How.WITH_WHAT_IS_IN_IT)) {
      aside.closeHere(kernel, connection, How.WITH_WHAT_IS_IN_IT);
    }
  }

  /** Closes a UNIX connection of a proxy, and what was sent on it and not received. */
  void end(Fd connection) {
    emptying.close(connection, this::refuse);
  }

  /**
   * Closes what waits in a socket of datagrams, which goes on being the caller's.
   *
   * @param peers who may hand off
   */
  void empty(Fd socket, PeerPolicy peers) {
    emptying.empty(
        socket,
        (fd, uid) -> {
          if (peers.isAllowed(uid)) {
            refuse(fd);
          } else {
            refuseForeign(fd);
          }
        });
  }
}
