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

  /**
   * What the kernel shows in place of any user that has no number in this user namespace, unless
   * told otherwise, user_namespaces(7).
   */
  public static final int OVERFLOW_UID = 65_534;

  /** How many are looked at first, and how many pass between two looks after that. */
  private static final int FIRST_LOOKS = 8;

  private static final int LOOK_EVERY = 256;

  private final String backend;
  private final int uid;
  private final boolean trusted;
  private final boolean acknowledges;
  private final DescriptorCloser aside;

  /** Whether it has been seen to set SO_LINGER. */
  private boolean lingers;

  /** How many of its connections were closed, since one was last looked at once the first were. */
  private int passed;

  /**
   * Makes one.
   *
   * @param backend whose receiver it is
   * @param uid whose process listens, or {@link #UNKNOWN}
   * @param trusted whether it does nothing to the proxy on purpose
   * @param acknowledges whether its connections are kept until it says that it has them
   * @param aside closes what the loop's thread must not
   */
  public Holder(
      String backend, int uid, boolean trusted, boolean acknowledges, DescriptorCloser aside) {
    this.backend = backend;
    this.uid = uid;
    this.trusted = trusted;
    this.acknowledges = acknowledges;
    this.aside = aside;
  }

  /** The name of the backend whose receiver it is. */
  public String backend() {
    return backend;
  }

  /** The user whose process listens, or {@link #UNKNOWN}. */
  public int uid() {
    return uid;
  }

  /** Whether it does nothing to the proxy on purpose. */
  public boolean isTrusted() {
    return trusted;
  }

  /** It has set SO_LINGER: it may do so again. */
  void lingers() {
    lingers = true;
  }

  /**
   * Whether a connection of a receiver that is trusted is to be looked at before it is closed. One
   * that acknowledges has mostly begun to serve it by then, and may have ended; by the plain
   * methods ours is closed first as a rule: there so often that a receiver that lingers is soon
   * known, and others cost hardly anything.
   */
  boolean isToBeLookedAt() {
    if (acknowledges || lingers) {
      return true;
    }
    int before = passed;
    passed = before == LOOK_EVERY + FIRST_LOOKS ? FIRST_LOOKS : before + 1;
    return before < FIRST_LOOKS || before == FIRST_LOOKS + LOOK_EVERY;
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
    return other.trusted || (uid != UNKNOWN && uid != OVERFLOW_UID && uid == other.uid);
  }
}
