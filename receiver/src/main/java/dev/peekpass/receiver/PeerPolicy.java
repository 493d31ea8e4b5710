package dev.peekpass.receiver;

import java.lang.System.Logger.Level;
import java.util.HashSet;
import java.util.Set;

/** Which users may hand connections over. */
final class PeerPolicy {
  /** How many refused users are remembered, so that each is logged once. */
  private static final int REMEMBERED_MAX = 1024;

  private final Set<Integer> allowedUids;
  private final String name;
  private final ReceiverLog log;
  private final Tally tally;
  private final Set<Integer> refused = new HashSet<>();

  /**
   * States the policy.
   *
   * @param name the receiver's, for the log
   */
  PeerPolicy(Set<Integer> allowedUids, String name, ReceiverLog log, Tally tally) {
    this.allowedUids = Set.copyOf(allowedUids);
    this.name = name;
    this.log = log;
    this.tally = tally;
  }

  /** Whether this user may hand connections over; counts and logs it if not. */
  boolean allows(int uid, int pid) {
    if (allowedUids.contains(uid)) {
      return true;
    }
    tally.refusedPeers.increment();
    if (refused.size() < REMEMBERED_MAX && refused.add(uid)) {
      log.log(
          Level.WARNING,
          name
              + ": refused pid "
              + pid
              + " of uid "
              + uid
              + ", which may not hand connections over: if that is the proxy, allow it:"
              + " allowUid("
              + uid
              + ") on the builder, or +uid="
              + uid
              + " in the agent's options");
    }
    return false;
  }
}
