package dev.peekpass.proxy.connection;

import dev.peekpass.proxy.turn.DescriptorCloser;

/**
 * The receiver that connections are offered or passed to over one UNIX connection: from then on it
 * has descriptors of the same sockets, and may keep them, whatever it says.
 *
 * <p>So it decides how ours are closed (close(2) of the last one waits if the receiver has set
 * SO_LINGER), and to whom else such a connection may go.
 */
public final class Holder {
  /** {@link #uid} of a receiver whose user is not known: on a datagram socket. */
  public static final int UNKNOWN = -1;

  private final int uid;
  private final boolean trusted;
  private final DescriptorCloser aside;

  /**
   * Makes one.
   *
   * @param uid whose process listens, or {@link #UNKNOWN}
   * @param trusted whether it does nothing to the proxy on purpose
   * @param aside closes what the loop's thread must not
   */
  public Holder(int uid, boolean trusted, DescriptorCloser aside) {
    this.uid = uid;
    this.trusted = trusted;
    this.aside = aside;
  }

  /** The user whose process listens, or {@link #UNKNOWN}. */
  public int uid() {
    return uid;
  }

  /** Whether it does nothing to the proxy on purpose. */
  public boolean isTrusted() {
    return trusted;
  }

  /** Closes what the loop's thread must not. */
  DescriptorCloser aside() {
    return aside;
  }

  /**
   * Whether so many descriptors wait to be closed for it that it shall get no new connections now.
   */
  public boolean isFull() {
    return aside.isFull();
  }

  /** Whether a connection may go to this one after it was offered to another. */
  public boolean mayHaveAfter(Holder other) {
    return other.trusted || (uid != UNKNOWN && uid == other.uid);
  }
}
