package dev.peekpass.simulation;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Linux;
import org.jspecify.annotations.Nullable;

/** The server's side of a TCP connection. */
public final class TcpConnection extends OpenFile {
  private final Client client;
  private int delivered;
  private int consumed;
  private boolean finReceived;
  private boolean reset;
  private int error;
  private boolean shutDown;
  private boolean announced;
  private @Nullable String passedTo;
  private int passes;
  private int receptions;

  TcpConnection(Client client) {
    this.client = client;
  }

  /** Who is at the other end. */
  public Client client() {
    return client;
  }

  /** How many of the client's bytes have arrived. */
  public int delivered() {
    return delivered;
  }

  /** Whether the client ended its side. */
  public boolean isFinReceived() {
    return finReceived;
  }

  /** Whether the client broke the connection off. */
  public boolean isReset() {
    return reset;
  }

  /** The path of the socket into whose queue it was passed, or null. */
  public @Nullable String passedTo() {
    return passedTo;
  }

  /** Whether some epoll watches it. */
  public boolean isBeingWatched() {
    return isWatched();
  }

  void announce() {
    announced = true;
  }

  void excuse() {
    announced = false;
  }

  boolean isAnnounced() {
    return announced;
  }

  void deliver(int bytes) {
    delivered += bytes;
    wake(Linux.EPOLLIN);
  }

  void deliverFin() {
    finReceived = true;
    wake(0);
  }

  void deliverReset() {
    reset = true;
    error = Errno.ECONNRESET;
    wake(0);
  }

  /** Reads; returns how many bytes, 0 at the end, or -errno. What came before a reset comes out. */
  int receive(byte @Nullable [] into, int length, boolean peek) {
    int there = Math.min(delivered - consumed, length);
    if (there == 0) {
      if (finReceived) {
        return 0;
      }
      if (error != 0) {
        int was = error;
        error = 0;
        return -was;
      }
      return reset ? 0 : -Errno.EAGAIN;
    }
    if (into != null) {
      System.arraycopy(client.bytes(), consumed, into, 0, there);
    }
    if (!peek) {
      consumed += there;
    }
    return there;
  }

  int send(int length) {
    if (shutDown || reset) {
      int was = error;
      error = 0;
      return was != 0 ? -was : -Errno.EPIPE;
    }
    return length;
  }

  int shutDownWriting() {
    if (reset) {
      return -Errno.ENOTCONN;
    }
    shutDown = true;
    return 0;
  }

  /** It stands in a message that has entered a receiver's queue. */
  void passed(String path) {
    passes++;
    passedTo = path;
    if (passes > 1) {
      throw new Violation(this + " was passed twice");
    }
    if (consumed > 0) {
      throw new Violation(this + " was passed with " + consumed + " bytes missing");
    }
    if (shutDown) {
      throw new Violation(this + " was passed after its sending side had been shut down");
    }
  }

  /** A receiver has it in its hands. */
  void received() {
    receptions++;
    if (receptions > 1) {
      throw new Violation(this + " was received twice");
    }
    if (consumed > 0) {
      throw new Violation(this + " came with " + consumed + " bytes missing");
    }
  }

  @Override
  int poll() {
    int events = Linux.EPOLLOUT;
    if (delivered > consumed) {
      events |= Linux.EPOLLIN;
    }
    if (finReceived || reset) {
      events |= Linux.EPOLLIN | Linux.EPOLLRDHUP;
    }
    if (reset || (finReceived && shutDown)) {
      events |= Linux.EPOLLHUP;
    }
    if (error != 0) {
      events |= Linux.EPOLLERR;
    }
    return events;
  }

  @Override
  void released() {
    client.onClosed();
  }

  @Override
  public String toString() {
    return "connection of " + client;
  }
}
