package dev.peekpass.receiver;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.Message;
import java.util.function.Consumer;
import java.util.function.ObjIntConsumer;

/**
 * Empties UNIX sockets that are to be closed. close(2) would close the descriptors that wait in
 * them, too, one by one, and wait for each that lingers: so they are received first.
 */
final class Emptying {
  private static final int PAYLOAD_BYTES = 4096;

  /** What {@link Message#senderUid} says when a message does not tell. */
  private static final int NOBODY = -1;

  private final Kernel kernel;
  private final Message message = new Message(PAYLOAD_BYTES, Linux.SCM_MAX_FD);

  Emptying(Kernel kernel) {
    this.kernel = kernel;
  }

  /**
   * Closes a UNIX connection and what was sent on it; it is not the caller's any more.
   *
   * @param closer closes each descriptor that was sent
   */
  void close(Fd connection, Consumer<Fd> closer) {
    try {
      empty(connection, (fd, uid) -> closer.accept(fd));
    } finally {
      kernel.close(connection);
    }
  }

  /**
   * Receives all that waits in a socket, and sees to it that no more comes.
   *
   * @param received given each descriptor, which is its own, and the sender's uid if the socket
   *     tells it
   */
  void empty(Fd socket, ObjIntConsumer<Fd> received) {
    kernel.shutdown(socket, Linux.SHUT_RD);
    boolean packets =
        kernel.getsockopt(socket, Linux.SOL_SOCKET, Linux.SO_TYPE) != Linux.SOCK_STREAM;
    if (packets) {
      // Then a packet without a byte has its sender, and the end has not.
      kernel.setsockopt(socket, Linux.SOL_SOCKET, Linux.SO_PASSCRED, 1);
    }
    boolean more = true;
    while (more) {
      int r = kernel.recvmsg(socket, message, Linux.MSG_DONTWAIT | Linux.MSG_CMSG_CLOEXEC);
      if (r >= 0) {
        more = r > 0 || message.descriptorCount() > 0 || (packets && message.senderUid() != NOBODY);
        giveAway(received);
      } else {
        // ECONNRESET comes once, before what the other end had sent.
        more = r == -Errno.EINTR || r == -Errno.ECONNRESET;
      }
    }
  }

  private void giveAway(ObjIntConsumer<Fd> received) {
    int count = message.descriptorCount();
    int next = 0;
    try {
      while (next < count) {
        Fd fd = message.descriptor(next);
        next++;
        received.accept(fd, message.senderUid());
      }
    } finally {
      for (; next < count; next++) {
        kernel.close(message.descriptor(next));
      }
    }
  }
}
