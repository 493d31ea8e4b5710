package dev.peekpass.simulation;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Linux;
import org.jspecify.annotations.Nullable;

/** The server's side of a TCP connection. */
public final class TcpConnection extends OpenFile {
  // States of tcp_info that are neither of those the proxy knows.
  private static final int TCP_FIN_WAIT2 = 5;
  private static final int TCP_LAST_ACK = 9;

  private final Client client;
  private int delivered;
  private int segments;
  private boolean inPieces;
  private int longPeeks;
  private int consumed;
  private boolean finReceived;
  private boolean reset;
  private int error;
  private boolean shutDown;
  private boolean announced;
  private @Nullable String passedTo;
  private int passes;
  private boolean returned;
  private boolean returnedBefore;
  private int receptions;
  private long sentBytes;
  private boolean blocking;
  private boolean lingers;
  private boolean filtered;
  private boolean answered;
  private @Nullable Offer offer;
  private int offers;

  /** The user who has had it and is not trusted, or 0. */
  private int bound;

  /** Whose the receiver is that it was passed to last. */
  private int passedUid;

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

  /** Whether nobody has received it from the socket that it was passed to, nor will. */
  public boolean isReturned() {
    return returned;
  }

  /** Whether another receiver was given it before, and has not received it or given it back. */
  boolean isOfferedBefore() {
    return offers > 0 || returnedBefore;
  }

  /** Whether a receiver has received it. */
  public boolean isReceived() {
    return receptions > 0;
  }

  /** How it was offered the last time, by the acknowledged hand-off, or null. */
  public @Nullable Offer offer() {
    return offer;
  }

  /** How many times it was offered. */
  public int offers() {
    return offers;
  }

  /** Whether anybody has read from it, written to it or ended a side of it. */
  public boolean isTouched() {
    return consumed > 0 || sentBytes > 0 || shutDown;
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
    segments++;
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
    sentBytes += length;
    return length;
  }

  int shutDownWriting() {
    if (reset) {
      return -Errno.ENOTCONN;
    }
    shutDown = true;
    return 0;
  }

  /** As tcp_info has it. */
  int state() {
    if (reset) {
      return Linux.TCP_CLOSE;
    }
    if (shutDown) {
      return finReceived ? TCP_LAST_ACK : TCP_FIN_WAIT2;
    }
    return finReceived ? Linux.TCP_CLOSE_WAIT : Linux.TCP_ESTABLISHED;
  }

  /** As tcp_info has it: a FIN counts as a byte. */
  long bytesReceived() {
    return (finReceived ? 1L : 0L) + delivered;
  }

  /** As tcp_info has it. */
  int segments() {
    return segments;
  }

  /** From now on its segments are not joined in the queue, as those of loopback may not be. */
  void keepInPieces() {
    inPieces = true;
  }

  /** Whether a peek at it would take long. */
  public boolean isInManyPieces() {
    return inPieces && segments > 192;
  }

  /**
   * It was looked at. Where it lies in many pieces that takes long, and may happen once: at first,
   * when nobody is asked, or when the last piece came after it was asked.
   */
  void peeked() {
    boolean takesLong = isInManyPieces() && bytesReceived() < 128L * segments;
    if (takesLong && ++longPeeks > 1) {
      throw new Violation(
          this + " lies in " + segments + " pieces and is looked through again and again");
    }
  }

  /**
   * What its receive queue takes: as was measured of bytes that come one by one, a segment each.
   */
  int queueMemory() {
    return inPieces ? 1024 * segments : 53 * segments + delivered;
  }

  long bytesSent() {
    return sentBytes;
  }

  /** As SIOCINQ has it, which counts no FIN. */
  int unread() {
    return delivered - consumed;
  }

  /** It has the filter of its listener, or none (socket(7)). */
  void inheritFilter(boolean has) {
    filtered = has;
  }

  /** Takes its filter away; returns whether it had one. */
  boolean detachFilter() {
    boolean had = filtered;
    filtered = false;
    return had;
  }

  /** A receiver sets SO_LINGER: whoever closes it last waits for that. */
  void linger() {
    lingers = true;
  }

  /** Whether whoever closes it last waits. */
  boolean lingers() {
    return lingers;
  }

  /** F_SETFL. */
  void setBlocking(boolean on) {
    blocking = on;
  }

  boolean isBlocking() {
    return blocking;
  }

  /** The process under test reads it, answers it or ends it. */
  void answer() {
    answered = true;
    Offer last = offer;
    if ((passedTo != null && !returned) || (last != null && !last.isOver())) {
      throw new Violation(this + " is answered by the proxy, and is a receiver's: " + last);
    }
  }

  /** It stands in a message of the acknowledged hand-off that has entered a receiver's queue. */
  void offered(Offer anew) {
    requireFree();
    requireSameUser(anew.uid());
    passedTo = null;
    returned = false;
    offer = anew;
    offers++;
  }

  /** Who is not trusted may have kept it, so that no other user may have it after that. */
  private void requireSameUser(int uid) {
    Offer last = offer;
    if (bound == 0 && last != null) {
      bound = last.uid();
    }
    if (bound != 0 && bound != uid) {
      throw new Violation(this + " was at uid " + bound + " and is given to uid " + uid);
    }
  }

  private void requireFree() {
    Offer last = offer;
    if (passedTo != null && !returned) {
      throw new Violation(this + " was passed twice");
    }
    if (last != null && !last.isOver()) {
      throw new Violation(this + " is given away while it is not given back: " + last);
    }
    if (last != null && last.isSettledSent() && !last.isRevoked() && last.isWanted()) {
      throw new Violation(this + " is given away, and was another's for good: " + last);
    }
    if (consumed > 0) {
      throw new Violation(this + " was passed with " + consumed + " bytes missing");
    }
    if (isTouched()) {
      throw new Violation(this + " is given away, and somebody has touched it: " + last);
    }
    if (filtered) {
      throw new Violation(this + " is given away with the filter of its listener");
    }
    if (blocking && !isBound()) {
      throw new Violation(this + " is given away and blocks: " + last);
    }
  }

  /** A receiver takes it for its own: it reads, writes and ends it from now on. */
  void own(Offer by) {
    Offer last = offer;
    if (last != by) {
      throw new Violation(this + " has two owners: " + by + ", " + last);
    }
    if ((passedTo != null && !returned) || by.isRevoked()) {
      throw new Violation(this + " has two owners: " + by + ", and it went to " + passedTo);
    }
    if (answered) {
      throw new Violation(this + " is answered by the proxy and taken by a receiver: " + by);
    }
    if (isTouched()) {
      throw new Violation(this + " is handled twice: " + by);
    }
    by.own();
  }

  /** It stands in a message that has entered a receiver's queue. */
  void passed(String path, int uid) {
    requireSameUser(uid);
    passes++;
    if (passes > 1) {
      throw new Violation(this + " was passed twice");
    }
    requireFree();
    passedTo = path;
    passedUid = uid;
    returned = false;
  }

  /** Whether only receivers of one user may have it. */
  public boolean isBound() {
    Offer last = offer;
    return bound != 0 || (last != null && last.uid() != 0 && last.isOver());
  }

  /** It stood in a message that its receiver has left unread for good. */
  void returned() {
    passes--;
    bound = passedUid;
    returned = true;
    returnedBefore = true;
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
