package dev.peekpass.proxy.admin;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.advice.ReceiverAdvice;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Asks a running proxy something over its admin socket. */
public final class AdminClient {
  /** Longer than a proxy takes for a reload, in which a loop may be waited for. */
  private static final long DEADLINE_MILLIS = 60_000;

  private AdminClient() {}

  /** Nobody could be asked. */
  public static final class UnreachableException extends IOException {
    private static final long serialVersionUID = 1L;

    private final boolean nobodyThere;

    private UnreachableException(String message, boolean nobodyThere) {
      super(message);
      this.nobodyThere = nobodyThere;
    }

    /** Whether there is no proxy, rather than one that may not be talked to. */
    public boolean isNobodyThere() {
      return nobodyThere;
    }
  }

  /**
   * Asks.
   *
   * @param path of the admin socket, at most {@link SockAddr#UNIX_PATH_MAX_BYTES} bytes
   * @param request a line as in docs/operations.md, without its end
   * @return the answer, a line of JSON
   * @throws UnreachableException when no proxy could be asked; the message says why and what to do
   * @throws IOException when it did not answer
   */
  public static String ask(Kernel kernel, String path, String request) throws IOException {
    try (AdminStream stream = connect(kernel, path, false)) {
      stream.within(DEADLINE_MILLIS);
      @Nullable IOException unsent = null;
      try {
        stream.send(request);
      } catch (SystemCallException e) {
        // One that is refused at once is answered and closed before it is read.
        unsent = e;
      }
      Optional<String> answer = stream.readLine(LineBytes.ANSWER);
      if (answer.isPresent()) {
        return answer.get();
      }
      throw new IOException("the proxy at unix:" + path + " ended before it answered", unsent);
    }
  }

  static AdminStream connect(Kernel kernel, String path, boolean takesDescriptors)
      throws IOException {
    SockAddr address = new SockAddr();
    address.unix(path);
    int type = Linux.SOCK_STREAM | Linux.SOCK_NONBLOCK | Linux.SOCK_CLOEXEC;
    int r = kernel.socket(Linux.AF_UNIX, type, 0);
    if (r < 0) {
      throw new SystemCallException("socket", -r, "raise the limit of open files");
    }
    Fd socket = Fd.of(r);
    int connected = kernel.connect(socket, address);
    if (connected < 0) {
      kernel.close(socket);
      boolean nobody = connected == -Errno.ENOENT || connected == -Errno.ECONNREFUSED;
      throw new UnreachableException(
          "connect unix:" + path + ": " + Errno.name(-connected) + ": " + remedy(path, -connected),
          nobody);
    }
    return new AdminStream(kernel, socket, takesDescriptors);
  }

  private static String remedy(String path, int errno) {
    return switch (errno) {
      case Errno.ENOENT ->
          "no proxy has its admin socket there: start it (peekpass run -c FILE), or say with -c or"
              + " --admin where the socket is";
      case Errno.ECONNREFUSED ->
          "the socket's proxy has ended without removing it: start it (peekpass run -c FILE)";
      case Errno.EACCES, Errno.EPERM -> mayNot(path);
      case Errno.EAGAIN -> "too many requests wait there: try again in a moment";
      case Errno.EPROTOTYPE, Errno.ENOTSOCK -> "that is no admin socket: correct the path";
      default -> "correct the path with -c or --admin";
    };
  }

  private static String mayNot(String path) {
    Path file = Path.of(path);
    @Nullable Path hidden = ReceiverAdvice.unsearchable(file);
    if (hidden != null) {
      return "this user may not search the directory " + hidden + ": use sudo";
    }
    return ReceiverAdvice.isNoSocket(file)
        ? "that is no admin socket: correct the path"
        : "only root and the user that runs the proxy may talk to it: use sudo";
  }
}
