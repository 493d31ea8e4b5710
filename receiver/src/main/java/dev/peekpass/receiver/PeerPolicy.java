package dev.peekpass.receiver;

import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.OverflowUid;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/** Which users may hand connections over. */
final class PeerPolicy {
  /** How many refused users are told apart in the log; the others share their lines. */
  private static final int REMEMBERED_MAX = 64;

  private static final long LOG_INTERVAL_NANOS = 10_000_000_000L;

  /** Stands for the others: a uid that is no user's. */
  private static final int OTHERS = -1;

  private final Set<Integer> allowedUids;
  private final String name;
  private final Kernel clock;
  private final ReceiverLog log;
  private final Tally tally;
  private final Map<Integer, RateLimitedLog> refused = new HashMap<>();

  /**
   * States the policy.
   *
   * @param name the receiver's, for the log
   */
  PeerPolicy(Kernel clock, Set<Integer> allowedUids, String name, ReceiverLog log, Tally tally) {
    this.clock = clock;
    this.allowedUids = Set.copyOf(allowedUids);
    this.name = name;
    this.log = log;
    this.tally = tally;
  }

  /** Whether this user may hand connections over; counts and logs it if not. */
  boolean allows(int uid, int pid) {
    if (isAllowed(uid)) {
      return true;
    }
    tally.refusedPeers.increment();
    logOf(uid)
        .warn(
            name
                + ": refused pid "
                + pid
                + " of uid "
                + uid
                + ", which may not hand connections over: if that is the proxy, "
                + (OverflowUid.isEverybodys(uid) ? everybodys(uid) : allow(uid)));
    return false;
  }

  private static String allow(int uid) {
    return "allow it: allowUid("
        + uid
        + ") on the builder, --allow-uid "
        + uid
        + " of peekpass serve, or +uid="
        + uid
        + " in the agent's options";
  }

  /** Why the overflow uid may not be allowed, and what to do. */
  static String everybodys(int uid) {
    return "uid "
        + Integer.toUnsignedString(uid)
        + " stands for every user that has no number in this user namespace, and cannot be allowed:"
        + " map the proxy's user into it, or give the proxy a user of its own";
  }

  /** Whether this user may hand connections over. */
  boolean isAllowed(int uid) {
    return allowedUids.contains(uid) && !OverflowUid.isEverybodys(uid);
  }

  private RateLimitedLog logOf(int uid) {
    RateLimitedLog known = refused.get(uid);
    if (known != null) {
      return known;
    }
    return refused.computeIfAbsent(
        refused.size() < REMEMBERED_MAX ? uid : OTHERS,
        key -> new RateLimitedLog(clock, log, LOG_INTERVAL_NANOS));
  }
}
