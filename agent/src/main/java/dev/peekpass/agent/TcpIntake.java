package dev.peekpass.agent;

import dev.peekpass.linux.EpollEvents;
import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.receiver.HandedOff;
import java.net.InetSocketAddress;
import java.time.Duration;

/** Accepts from the TCP port, too, where the pair says {@code +tcp}; in a thread of its own. */
final class TcpIntake {
  /** A pause where accept4 says that there is no room for another descriptor. */
  private static final int ROOM_WAIT_MILLIS = 50;

  private static final Duration END_MAX = Duration.ofSeconds(5);

  private final Kernel kernel = LinuxKernel.open();
  private final Fd listener;
  private final Fd wake;
  private final Fd epoll;
  private final Arrivals arrivals;
  private final EpollEvents events = new EpollEvents(1);
  private final SockAddr client = new SockAddr();
  private final Thread thread;

  /**
   * Starts to watch.
   *
   * @param listener listening and non-blocking; the caller's, until {@link #close} has returned
   * @throws SystemCallException when it cannot watch; nothing is left open
   */
  TcpIntake(String name, Fd listener, Arrivals arrivals) throws SystemCallException {
    this.listener = listener;
    this.arrivals = arrivals;
    wake = Fd.of(check("eventfd", kernel.eventfd(0, Linux.EFD_CLOEXEC | Linux.EFD_NONBLOCK)));
    int r = kernel.epollCreate1(Linux.EPOLL_CLOEXEC);
    if (r < 0) {
      kernel.close(wake);
      throw new SystemCallException("epoll_create1 for a listening socket", -r, "");
    }
    epoll = Fd.of(r);
    try {
      check("epoll_ctl", watch(listener));
      check("epoll_ctl", watch(wake));
    } catch (SystemCallException e) {
      closeDescriptors();
      throw e;
    }
    thread = Thread.ofPlatform().daemon().name("peekpass-agent " + name).unstarted(this::run);
  }

  private int watch(Fd fd) {
    return kernel.epollCtl(epoll, Linux.EPOLL_CTL_ADD, fd, Linux.EPOLLIN, fd.number());
  }

  private static int check(String call, int r) throws SystemCallException {
    if (r < 0) {
      throw new SystemCallException(call + " for a listening socket", -r, "");
    }
    return r;
  }

  void start() {
    thread.start();
  }

  private void run() {
    while (arrivals.awaitRoom()) {
      int n = kernel.epollWait(epoll, events, -1);
      if (n == 1 && events.data(0) == wake.number()) {
        return;
      }
      int r = kernel.accept4(listener, client, Linux.SOCK_CLOEXEC);
      switch (-r) {
        case Errno.EMFILE, Errno.ENFILE, Errno.ENOBUFS, Errno.ENOMEM -> pause();
        default -> {
          if (r >= 0) {
            add(Fd.of(r));
          }
        }
      }
    }
  }

  /** The client stays in the listening socket's queue meanwhile. */
  private static void pause() {
    try {
      Thread.sleep(ROOM_WAIT_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void add(Fd fd) {
    // Asked of accept4 itself, which knows the client even if it has left since.
    HandedOff connection =
        new HandedOff(
            fd,
            client.family() == Linux.AF_INET6,
            new InetSocketAddress(client.inetAddress(), client.port()));
    if (arrivals.add(connection) == null) {
      connection.discard(kernel);
    }
  }

  /** Stops it. Closing the queue must come first: the thread may wait for room in it. */
  void close(Kernel closingKernel) {
    closingKernel.eventfdWrite(wake, 1);
    boolean ended = false;
    try {
      ended = thread.join(END_MAX);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    if (ended) {
      closeDescriptors();
    }
  }

  /** Of a thread that was never started. */
  void discard() {
    closeDescriptors();
  }

  private void closeDescriptors() {
    kernel.close(epoll);
    kernel.close(wake);
  }
}
