package dev.peekpass.wire;

/**
 * The values of a claim word: whose a connection is that was offered and not yet acknowledged
 * (docs/protocol.md, "Taking back").
 *
 * <pre>{@code
 *  63                                2 1     0
 * +-----------------------------------+-------+
 * |       number of the connection    | state |    0 free, 1 offered, 2 claimed, 3 revoked
 * +-----------------------------------+-------+
 * }</pre>
 *
 * The number keeps whoever comes late from taking the word for that of a later connection.
 */
public final class ClaimWord {
  private static final int OFFERED = 1;
  private static final int CLAIMED = 2;
  private static final int REVOKED = 3;
  private static final int STATE_BITS = 2;

  private ClaimWord() {}

  /** The proxy has offered the connection: either side may take it by compare-and-set. */
  public static long offered(long number) {
    return number << STATE_BITS | OFFERED;
  }

  /** It is the receiver's. */
  public static long claimed(long number) {
    return number << STATE_BITS | CLAIMED;
  }

  /** The proxy has taken it back: the receiver closes what it got. */
  public static long revoked(long number) {
    return number << STATE_BITS | REVOKED;
  }
}
