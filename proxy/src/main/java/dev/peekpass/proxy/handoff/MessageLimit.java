package dev.peekpass.proxy.handoff;

import dev.peekpass.linux.Errno;

/**
 * How many connections go into one message. Fewer than wanted after the kernel has refused more,
 * and then more again with time: a shortage of memory passes (ENOBUFS), and asking anew costs a
 * call a second where it does not.
 */
final class MessageLimit {
  private static final long GROW_NANOS = 1_000_000_000L;

  private int wanted;
  private int most;
  private long growAtNanos = Long.MAX_VALUE;

  /** Begins with as many as are wanted, 1 or more. */
  MessageLimit(int wanted) {
    want(wanted);
  }

  /** Begins anew with as many as are wanted: a new receiver, of which nothing is known. */
  void want(int connections) {
    wanted = connections;
    most = connections;
    growAtNanos = Long.MAX_VALUE;
  }

  /** How many to put into a message at a time. */
  int at(long nowNanos) {
    if (nowNanos >= growAtNanos) {
      most = Math.min(wanted, 2 * most);
      growAtNanos = most == wanted ? Long.MAX_VALUE : nowNanos + GROW_NANOS;
    }
    return most;
  }

  /** So many were too many: returns how many to try next. */
  int refused(int connections, long nowNanos) {
    most = Math.max(1, connections / 2);
    growAtNanos = nowNanos + GROW_NANOS;
    return most;
  }

  /**
   * Whether a failed sendmsg may succeed with fewer descriptors: more than this kernel allows in a
   * message, or ancillary data for which there is no memory (ENOBUFS). Not so EAGAIN, since the
   * queue counts messages, nor ETOOMANYREFS, which looks at what is in flight already (unix(7)).
   */
  static boolean mayTakeFewer(int errno) {
    return errno == Errno.EINVAL || errno == Errno.EMSGSIZE || errno == Errno.ENOBUFS;
  }
}
