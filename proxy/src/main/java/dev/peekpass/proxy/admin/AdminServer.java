package dev.peekpass.proxy.admin;

import dev.peekpass.linux.EpollEvents;
import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.SystemCallException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Answers on the admin socket, on threads of its own: one that accepts and one for each connection.
 * A connection is one request, a line, and its answer. It serves root and the user that runs the
 * proxy; requests, connections and the time that each may take are limited.
 */
public final class AdminServer {
  private static final Logger LOG = LoggerFactory.getLogger(AdminServer.class);

  static final int MAX_CONNECTIONS = 8;

  /** From a connection to its whole request, and from the answer to its having been read. */
  static final long DEADLINE_MILLIS = 5000;

  private static final long LOG_NANOS = 60_000_000_000L;
  private static final long ACCEPT_REST_NANOS = 100_000_000;

  /** How long {@link #close} waits for the thread that accepts, which waits for nothing long. */
  private static final long CLOSE_MILLIS = 2000;

  private static final String NO_THREAD =
      "raise the limit of threads (ulimit -u, TasksMax=), or free memory";

  private final Supplier<? extends Kernel> kernels;
  private final Operations operations;
  private final AdminSocket socket;
  private final TakeoverTimes times;
  private final ThreadFactory threads;
  private final Fd epoll;
  private final Fd wakeUp;
  private final Semaphore free = new Semaphore(MAX_CONNECTIONS);

  /** The admin thread's: when an accept that failed was logged last. */
  private long acceptLoggedNanos = Long.MIN_VALUE / 2;

  /** Opened by {@link #open} and {@link #close}. */
  private final CountDownLatch gate = new CountDownLatch(1);

  private final CountDownLatch ended = new CountDownLatch(1);

  /** Guards {@link #wakeUp} against being written to once it is closed. */
  private final Object wakeUpLock = new Object();

  private boolean wakeUpClosed;
  private volatile boolean abandoned;
  private volatile boolean closing;

  private AdminServer(
      Supplier<? extends Kernel> kernels,
      Operations operations,
      AdminSocket socket,
      TakeoverTimes times,
      ThreadFactory threads,
      Fd epoll,
      Fd wakeUp) {
    this.kernels = kernels;
    this.operations = operations;
    this.socket = socket;
    this.times = times;
    this.threads = threads;
    this.epoll = epoll;
    this.wakeUp = wakeUp;
  }

  /**
   * Prepares all that answering needs; {@link #open} begins.
   *
   * @param socket owned by the server from here on, also when this fails
   * @throws SystemCallException when descriptors, memory or threads are short; nothing is left open
   */
  public static AdminServer prepare(
      Supplier<? extends Kernel> kernels,
      Operations operations,
      AdminSocket socket,
      TakeoverTimes times)
      throws SystemCallException {
    return prepare(kernels, operations, socket, times, Thread.ofPlatform().daemon().factory());
  }

  static AdminServer prepare(
      Supplier<? extends Kernel> kernels,
      Operations operations,
      AdminSocket socket,
      TakeoverTimes times,
      ThreadFactory threads)
      throws SystemCallException {
    Kernel kernel = kernels.get();
    int epoll = kernel.epollCreate1(Linux.EPOLL_CLOEXEC);
    int wakeUp = kernel.eventfd(0, Linux.EFD_CLOEXEC | Linux.EFD_NONBLOCK);
    int r = Math.min(epoll, wakeUp);
    if (r >= 0) {
      r = kernel.epollCtl(Fd.of(epoll), Linux.EPOLL_CTL_ADD, socket.fd(), Linux.EPOLLIN, 1);
    }
    if (r >= 0) {
      r = kernel.epollCtl(Fd.of(epoll), Linux.EPOLL_CTL_ADD, Fd.of(wakeUp), Linux.EPOLLIN, 2);
    }
    String failed = "epoll for the admin socket";
    String remedy = "raise the limit of open files";
    if (r >= 0) {
      AdminServer server =
          new AdminServer(kernels, operations, socket, times, threads, Fd.of(epoll), Fd.of(wakeUp));
      if (server.begin("admin", server::serve)) {
        return server;
      }
      r = -Errno.EAGAIN;
      failed = "create a thread for the admin socket";
      remedy = NO_THREAD;
    }
    if (epoll >= 0) {
      kernel.close(Fd.of(epoll));
    }
    if (wakeUp >= 0) {
      kernel.close(Fd.of(wakeUp));
    }
    socket.close(kernel);
    throw new SystemCallException(failed, -r, remedy);
  }

  /** Begins a thread; false when none can be made. */
  private boolean begin(String name, Runnable work) {
    try {
      Thread thread = threads.newThread(work);
      thread.setName(name);
      thread.start();
      return true;
    } catch (OutOfMemoryError e) {
      LOG.debug("admin socket: {}", e.getMessage());
      return false;
    }
  }

  /** Begins to answer. */
  public void open() {
    gate.countDown();
  }

  /**
   * Answers no more and removes the socket's file, unless another process has the socket. Takes
   * {@value #CLOSE_MILLIS} ms at most. Requests under way are not waited for.
   */
  public void close() {
    closing = true;
    gate.countDown();
    Kernel kernel = kernels.get();
    wake(kernel);
    if (!hasEnded()) {
      LOG.warn("admin socket: its thread has not ended: leaving it");
      return;
    }
    if (!abandoned) {
      socket.close(kernel);
    }
    synchronized (wakeUpLock) {
      if (!wakeUpClosed) {
        wakeUpClosed = true;
        kernel.close(wakeUp);
      }
    }
  }

  private boolean hasEnded() {
    try {
      return ended.await(CLOSE_MILLIS, TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  private void wake(Kernel callersKernel) {
    synchronized (wakeUpLock) {
      if (!wakeUpClosed) {
        callersKernel.eventfdWrite(wakeUp, 1);
      }
    }
  }

  AdminSocket socket() {
    return socket;
  }

  Operations operations() {
    return operations;
  }

  TakeoverTimes times() {
    return times;
  }

  /** Answers no more, since another process has the socket. For any thread, also after the end. */
  void abandon() {
    abandoned = true;
    wake(kernels.get());
  }

  private void serve() {
    try {
      gate.await();
      Kernel kernel = kernels.get();
      EpollEvents events = new EpollEvents(2);
      while (!closing && !abandoned) {
        int n = kernel.epollWait(epoll, events, -1);
        if (n > 0 && !closing && !abandoned) {
          acceptWhateverHappens(kernel);
        }
      }
      // Before the socket is closed: it may live on elsewhere, and epoll would report on it.
      kernel.epollCtl(epoll, Linux.EPOLL_CTL_DEL, socket.fd(), 0, 0);
      kernel.close(epoll);
      if (abandoned) {
        socket.abandon(kernel);
      }
    } catch (InterruptedException | RuntimeException | Error e) {
      LOG.error("admin socket: it answers no more: this is a fault in Peekpass", e);
    } finally {
      ended.countDown();
    }
  }

  private void acceptWhateverHappens(Kernel kernel) {
    try {
      accept(kernel);
    } catch (RuntimeException | Error e) {
      AdminConnection.report(e);
      LockSupport.parkNanos(ACCEPT_REST_NANOS);
    }
  }

  private void accept(Kernel kernel) {
    int r = kernel.accept4(socket.fd(), null, Linux.SOCK_NONBLOCK | Linux.SOCK_CLOEXEC);
    if (r < 0) {
      if (r != -Errno.EAGAIN) {
        long now = kernel.nanoTime();
        if (now - acceptLoggedNanos >= LOG_NANOS) {
          acceptLoggedNanos = now;
          LOG.warn("admin socket: accept: {}: trying again; said once a minute", Errno.name(-r));
        }
        LockSupport.parkNanos(ACCEPT_REST_NANOS);
      }
      return;
    }
    Fd connection = Fd.of(r);
    if (!free.tryAcquire()) {
      AdminConnection.refuse(
          kernel, connection, MAX_CONNECTIONS + " requests are under way: try again in a moment");
      return;
    }
    boolean begun = false;
    try {
      Kernel own = kernels.get();
      begun = begin("admin-request", () -> answer(own, connection));
    } finally {
      if (!begun) {
        free.release();
        AdminConnection.refuse(kernel, connection, "no thread can be made to answer: " + NO_THREAD);
      }
    }
  }

  private void answer(Kernel own, Fd connection) {
    try {
      AdminConnection.answer(this, own, connection);
    } finally {
      free.release();
    }
  }
}
