package dev.peekpass.receiver;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.linux.SockAddr;

/** Connections whose last close(2) waits: SO_LINGER, and data that the other end does not read. */
public final class Lingering {
  /** How long that close would take. */
  public static final int SECONDS = 20;

  /** What takes less than this has not waited for it. */
  public static final long AT_ONCE_NANOS = SECONDS / 2 * 1_000_000_000L;

  private Lingering() {}

  /** Makes one; its other end stays open, unread, until the test's proxy is closed. */
  public static Fd connection(TestProxy proxy) {
    Kernel kernel = proxy.kernel;
    Fd listener = proxy.listen("127.0.0.1");
    assertThat(kernel.setsockopt(listener, Linux.SOL_SOCKET, Linux.SO_RCVBUF, 4096)).isZero();
    SockAddr address = new SockAddr();
    assertThat(kernel.getsockname(listener, address)).isZero();
    Fd fd = proxy.own(kernel.socket(Linux.AF_INET, Linux.SOCK_STREAM | Linux.SOCK_CLOEXEC, 0));
    assertThat(kernel.setsockopt(fd, Linux.SOL_SOCKET, Linux.SO_SNDBUF, 1 << 16)).isZero();
    assertThat(kernel.connect(fd, address)).isZero();
    proxy.own(kernel.accept4(listener, null, Linux.SOCK_CLOEXEC));
    NativeBuffer junk = new NativeBuffer(1 << 14);
    int flags = Linux.MSG_DONTWAIT | Linux.MSG_NOSIGNAL;
    int r;
    do {
      r = kernel.send(fd, junk, 0, junk.capacity(), flags);
    } while (r > 0);
    assertThat(kernel.setLinger(fd, true, SECONDS)).isZero();
    return fd;
  }

  /** Something that must not wait for what lingers. */
  @FunctionalInterface
  public interface Action {
    void run() throws Exception;
  }

  /** Does it, and sees that it takes no time. */
  public static void assertAtOnce(Action action) throws Exception {
    long began = System.nanoTime();
    action.run();
    assertThat(System.nanoTime() - began).as("nanoseconds").isLessThan(AT_ONCE_NANOS);
  }
}
