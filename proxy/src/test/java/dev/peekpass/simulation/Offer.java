package dev.peekpass.simulation;

import dev.peekpass.linux.SharedWords;
import org.jspecify.annotations.Nullable;

/**
 * One connection in one message of the acknowledged hand-off, and what became of it: as the
 * receiver has it, and as far as the proxy can know.
 */
public final class Offer {
  // docs/protocol.md, "Taking back".
  private static final int OFFERED = 1;
  private static final int CLAIMED = 2;
  private static final int REVOKED = 3;

  private final String path;
  private final int uid;
  private final long number;
  private final long nanos;
  private final @Nullable SharedWords page;
  private boolean settledSent;
  private boolean settledRead;
  private boolean refusedRead;
  private boolean channelClosed;
  private boolean receiverGone;
  private boolean owned;
  private boolean scribbled;
  private boolean revoked;
  private boolean wordEnded;

  /**
   * Makes an offer that is on its way.
   *
   * @param uid whose process its receiver is
   * @param page what its receiver claims it in, or null
   */
  Offer(String path, int uid, long number, long nanos, @Nullable SharedWords page) {
    this.path = path;
    this.uid = uid;
    this.number = number;
    this.nanos = nanos;
    this.page = page;
  }

  /** The socket that it was offered over. */
  public String path() {
    return path;
  }

  /** Whose process its receiver is. */
  int uid() {
    return uid;
  }

  /** When it was offered. */
  public long nanos() {
    return nanos;
  }

  private boolean has(int state) {
    return page != null
        && !wordEnded
        && page.get((int) (number % page.count())) == (number << 2 | state);
  }

  /** Whether the proxy has taken it back. */
  public boolean isRevoked() {
    return revoked || has(REVOKED);
  }

  /** Its word may be another's from now on. */
  void wordEnds() {
    revoked = isRevoked();
    wordEnded = true;
  }

  /** Whether the proxy could still take it back, if it tried. */
  public boolean isRevocable() {
    return has(OFFERED);
  }

  /** Claims it; returns false when it is somebody else's. */
  boolean claim() {
    SharedWords there = page;
    int index = there == null ? 0 : (int) (number % there.count());
    return there == null
        || there.compareAndSet(index, number << 2 | OFFERED, number << 2 | CLAIMED);
  }

  /** The receiver has written nonsense over its word. */
  void scribble() {
    scribbled = true;
  }

  boolean isScribbled() {
    return scribbled;
  }

  /** The receiver may touch the connection from now on. */
  void own() {
    owned = true;
  }

  /** Whether a receiver that lives may touch the connection, or may have touched it. */
  boolean isOwned() {
    return owned && !receiverGone;
  }

  /** The receiver, or the channel on its side, has ended: what it had is closed. */
  void receiverGone() {
    receiverGone = true;
  }

  /** Whether its receiver has ended, or has ended the channel. */
  public boolean isReceiverGone() {
    return receiverGone;
  }

  /** The receiver has settled it. */
  void settledSent() {
    settledSent = true;
  }

  boolean isSettledSent() {
    return settledSent;
  }

  /** Whether the receiver has ever taken the connection for its own. */
  boolean isWanted() {
    return owned;
  }

  /** The proxy has read that it is settled. */
  void settledRead() {
    settledRead = true;
  }

  /** Whether the proxy knows that the receiver has it. */
  public boolean isSettled() {
    return settledRead;
  }

  /** The proxy has read that it is given back. */
  void refusedRead() {
    refusedRead = true;
  }

  /** The proxy has closed its end of the channel. */
  void channelClosed() {
    channelClosed = true;
  }

  /** Whether the proxy still waits to hear what became of it. */
  public boolean isOpen() {
    return !settledRead && !refusedRead && !channelClosed && !isRevoked();
  }

  /** Whether the connection may be given to another, or be answered by the proxy. */
  public boolean isOver() {
    return isRevoked() || refusedRead || (channelClosed && receiverGone);
  }

  @Override
  public String toString() {
    return "offer " + number + " to " + path;
  }
}
