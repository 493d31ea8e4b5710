package dev.peekpass.cli;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.Message;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.linux.SystemCallException;

/**
 * The receiver of a {@link Training}: takes connections as any recvmsg loop would, reads what the
 * client sent and closes them. It uses nothing but the calls that the proxy uses anyway, so that
 * the cache is not filled with what the proxy never needs.
 */
final class TrainingBackend {
  private static final int HEAD_BYTES = 4096;

  private final Kernel kernel;
  private final Fd listener;
  private final Message message = new Message(16, 16);
  private final NativeBuffer head = new NativeBuffer(HEAD_BYTES);

  private TrainingBackend(Kernel kernel, Fd listener) {
    this.kernel = kernel;
    this.listener = listener;
  }

  /**
   * Listens, and serves on a thread of its own until the JVM ends, which closes what it has.
   *
   * @param path of its UNIX socket
   */
  static void start(String path) throws SystemCallException {
    Kernel kernel = LinuxKernel.open();
    SockAddr address = new SockAddr();
    address.unix(path);
    int type = Linux.SOCK_STREAM | Linux.SOCK_CLOEXEC;
    Fd listener = Fd.of(checked("socket", kernel.socket(Linux.AF_UNIX, type, 0)));
    checked("bind unix:" + path, kernel.bind(listener, address));
    checked("listen", kernel.listen(listener, 16));
    TrainingBackend backend = new TrainingBackend(kernel, listener);
    Thread.ofPlatform().daemon().name("training-backend").start(backend::serve);
  }

  private void serve() {
    while (true) {
      int r = kernel.accept4(listener, null, Linux.SOCK_CLOEXEC);
      if (r >= 0) {
        Fd proxy = Fd.of(r);
        while (kernel.recvmsg(proxy, message, Linux.MSG_CMSG_CLOEXEC) > 0) {
          for (int i = 0; i < message.descriptorCount(); i++) {
            end(message.descriptor(i));
          }
        }
        kernel.close(proxy);
      }
    }
  }

  /** Reads before it closes, so that the client meets an end and no reset. */
  private void end(Fd connection) {
    kernel.recv(connection, head, 0, HEAD_BYTES, Linux.MSG_DONTWAIT);
    kernel.close(connection);
  }

  /** The result of a call, if it is a good one. */
  static int checked(String call, int result) throws SystemCallException {
    if (result < 0) {
      throw new SystemCallException(call, -result, "");
    }
    return result;
  }
}
