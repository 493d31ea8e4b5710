package dev.peekpass.proxy.admin;

import dev.peekpass.linux.EpollEvents;
import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.PeerCredentials;
import dev.peekpass.linux.SystemCallException;
import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.Semaphore;
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

  static final int MAX_REQUEST_BYTES = 256;
  static final int MAX_CONNECTIONS = 8;

  /** From a connection to its whole request, and from the answer to its having been read. */
  static final long DEADLINE_MILLIS = 5000;

  private static final long ACCEPT_REST_NANOS = 100_000_000;

  private final Supplier<? extends Kernel> kernels;
  private final Operations operations;
  private final AdminSocket socket;
  private final Fd epoll;
  private final Fd wakeUp;
  private final Semaphore free = new Semaphore(MAX_CONNECTIONS);
  private final Thread thread;
  private volatile boolean abandoned;
  private volatile boolean closing;

  private AdminServer(
      Supplier<? extends Kernel> kernels,
      Operations operations,
      AdminSocket socket,
      Fd epoll,
      Fd wakeUp) {
    this.kernels = kernels;
    this.operations = operations;
    this.socket = socket;
    this.epoll = epoll;
    this.wakeUp = wakeUp;
    thread = Thread.ofPlatform().name("admin").daemon().unstarted(this::serve);
  }

  /**
   * Begins to answer.
   *
   * @param socket owned by the server from here on, also when this fails
   */
  public static AdminServer start(
      Supplier<? extends Kernel> kernels, Operations operations, AdminSocket socket)
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
    if (r < 0) {
      socket.close(kernel);
      if (epoll >= 0) {
        kernel.close(Fd.of(epoll));
      }
      if (wakeUp >= 0) {
        kernel.close(Fd.of(wakeUp));
      }
      throw new SystemCallException(
          "epoll for the admin socket", -r, "raise the limit of open files");
    }
    AdminServer server = new AdminServer(kernels, operations, socket, Fd.of(epoll), Fd.of(wakeUp));
    server.thread.start();
    return server;
  }

  /** Answers no more and removes the socket's file, unless another process has the socket. */
  public void close() {
    Kernel kernel = kernels.get();
    closing = true;
    kernel.eventfdWrite(wakeUp, 1);
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return;
    }
    if (!abandoned) {
      socket.close(kernel);
    }
    kernel.close(wakeUp);
  }

  AdminSocket socket() {
    return socket;
  }

  Operations operations() {
    return operations;
  }

  /** Answers no more, since another process has the socket. */
  void abandon() {
    abandoned = true;
    kernels.get().eventfdWrite(wakeUp, 1);
  }

  private void serve() {
    Kernel kernel = kernels.get();
    EpollEvents events = new EpollEvents(2);
    while (!closing && !abandoned) {
      int n = kernel.epollWait(epoll, events, -1);
      if (n > 0 && !closing && !abandoned) {
        accept(kernel);
      }
    }
    // Before the socket is closed: it may live on elsewhere, and epoll would report on it.
    kernel.epollCtl(epoll, Linux.EPOLL_CTL_DEL, socket.fd(), 0, 0);
    kernel.close(epoll);
    if (abandoned) {
      socket.abandon(kernel);
    }
  }

  private void accept(Kernel kernel) {
    int r = kernel.accept4(socket.fd(), null, Linux.SOCK_NONBLOCK | Linux.SOCK_CLOEXEC);
    if (r < 0) {
      if (r != -Errno.EAGAIN) {
        LOG.warn("admin socket: accept: {}", Errno.name(-r));
        LockSupport.parkNanos(ACCEPT_REST_NANOS);
      }
      return;
    }
    Fd connection = Fd.of(r);
    if (!free.tryAcquire()) {
      try (AdminStream stream = new AdminStream(kernel, connection, false)) {
        stream.within(0);
        stream.send(
            Operations.error(MAX_CONNECTIONS + " requests are under way: try again in a moment"));
      } catch (IOException e) {
        LOG.debug("admin socket: {}", e.getMessage());
      }
      return;
    }
    Thread.ofPlatform()
        .name("admin-request")
        .daemon()
        .start(() -> {
          try {
            answer(connection);
          } catch (RuntimeException e) {
            LOG.error("admin socket: a request failed: this is a fault in Peekpass", e);
          } finally {
            free.release();
          }
        });
  }

  private void answer(Fd connection) {
    Kernel kernel = kernels.get();
    try (AdminStream stream = new AdminStream(kernel, connection, false)) {
      stream.within(DEADLINE_MILLIS);
      PeerCredentials[] peer = new PeerCredentials[1];
      int r = kernel.peerCredentials(connection, peer);
      int own = kernel.geteuid();
      if (r < 0 || (peer[0].uid() != 0 && peer[0].uid() != own)) {
        LOG.warn("admin socket: refused uid {}", r < 0 ? "unknown" : peer[0].uid());
        stream.send(
            Operations.error(
                "only root and uid " + own + ", which runs the proxy, may talk to it"));
        return;
      }
      Optional<String> request = stream.readLine(MAX_REQUEST_BYTES);
      if (request.isEmpty()) {
        return;
      }
      String[] words = request.get().trim().split(" ", 2);
      if (words[0].equals("takeover")) {
        new TakeoverOffer(this, stream, kernel, peer[0].pid()).run(words);
        return;
      }
      String answer = answer(words);
      stream.within(DEADLINE_MILLIS);
      stream.send(answer);
    } catch (IOException e) {
      LOG.info("admin socket: a request was given up: {}", e.getMessage());
    }
  }

  private String answer(String[] words) {
    String argument = words.length == 2 ? words[1].trim() : "";
    return switch (words[0]) {
      case "status" -> operations.status();
      case "reload" -> operations.reload();
      case "drain" -> operations.drain(argument, true);
      case "undrain" -> operations.drain(argument, false);
      default ->
          Operations.error(
              "unknown request: write status, reload, drain NAME, undrain NAME or takeover 1");
    };
  }
}
