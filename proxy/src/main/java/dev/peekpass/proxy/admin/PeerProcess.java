package dev.peekpass.proxy.admin;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.PeerCredentials;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;

/**
 * The process at the other end of a UNIX connection: the one that connected, or the one that called
 * listen(2) last.
 */
final class PeerProcess implements AutoCloseable {
  private static final long POLL_NANOS = 10_000_000;

  private final Kernel kernel;
  private final int pid;

  /** Empty before Linux 6.5. */
  private final Optional<Fd> pidfd;

  private PeerProcess(Kernel kernel, int pid, Optional<Fd> pidfd) {
    this.kernel = kernel;
    this.pid = pid;
    this.pidfd = pidfd;
  }

  /**
   * Asks the kernel.
   *
   * @param connection stays the caller's
   */
  static PeerProcess of(Kernel kernel, Fd connection) {
    PeerCredentials[] peer = new PeerCredentials[1];
    int pid = kernel.peerCredentials(connection, peer) < 0 ? 0 : peer[0].pid();
    int r = kernel.getsockopt(connection, Linux.SOL_SOCKET, Linux.SO_PEERPIDFD);
    return new PeerProcess(kernel, pid, r < 0 ? Optional.empty() : Optional.of(Fd.of(r)));
  }

  /** Its number; 0 when it has none here. */
  int pid() {
    return pid;
  }

  /**
   * Waits for its end.
   *
   * @param millis at most
   * @return whether it has ended; false when that is not known
   */
  boolean hasEnded(int millis) {
    if (pidfd.isPresent()) {
      return kernel.poll(pidfd.get(), Linux.POLLIN, millis) > 0;
    }
    long deadline = kernel.nanoTime() + millis * 1_000_000L;
    while (true) {
      if (pid > 0 && isGone()) {
        return true;
      }
      if (kernel.nanoTime() - deadline >= 0) {
        return false;
      }
      LockSupport.parkNanos(POLL_NANOS);
    }
  }

  /** Whether it is not there or is there in name only, because its parent has not noticed. */
  private boolean isGone() {
    try {
      // proc(5): the name, which may have anything in it, is in brackets; the state follows.
      String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
      return "ZX".indexOf(stat.charAt(stat.lastIndexOf(')') + 2)) >= 0;
    } catch (IOException e) {
      return !Files.exists(Path.of("/proc/" + pid));
    }
  }

  @Override
  public void close() {
    pidfd.ifPresent(kernel::close);
  }

  /** For messages. */
  @Override
  public String toString() {
    return pid > 0 ? "process " + pid : "a process of another namespace";
  }
}
