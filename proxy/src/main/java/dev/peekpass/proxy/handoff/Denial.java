package dev.peekpass.proxy.handoff;

import dev.peekpass.linux.Kernel;
import dev.peekpass.proxy.advice.ReceiverAdvice;
import dev.peekpass.wire.HandOff;

/**
 * Why a receiver does not let the proxy in, as it says or as it seems, and what to do about it.
 *
 * @param why in a few words, for a status too
 * @param remedy for the log
 */
record Denial(String why, String remedy) {

  /**
   * What a DENY says.
   *
   * @param uid the proxy's as the receiver sees it, or {@link HandOff#UID_UNKNOWN}
   */
  static Denial of(int reason, int uid, Kernel kernel) {
    int known = uid == HandOff.UID_UNKNOWN ? kernel.geteuid() : uid;
    return switch (reason) {
      case HandOff.DENIED_USER ->
          new Denial(
              "uid " + Integer.toUnsignedString(known) + " is not allowed",
              ReceiverAdvice.allow(known));
      case HandOff.DENIED_FULL ->
          new Denial(
              "it has as many UNIX connections as it takes",
              "raise the receiver's limit, or run fewer proxies or threads beside it");
      case HandOff.DENIED_VERSION ->
          new Denial(
              "no version of the hand-off is common to both", "upgrade the older one of the two");
      default ->
          new Denial(
              "for a reason that this version does not know: " + reason,
              "see the receiver's own log");
    };
  }

  /** It ends UNIX connections before its hello, without a word. */
  static Denial unsaid(Kernel kernel) {
    int uid = kernel.geteuid();
    return new Denial(
        "it ends each UNIX connection before its hello",
        "if it does not allow this proxy's uid, "
            + Integer.toUnsignedString(uid)
            + ": "
            + ReceiverAdvice.allow(uid)
            + "; else see the receiver's own log");
  }

  /** It says hello and ends UNIX connections before it has taken anything. */
  static Denial takesNone() {
    return new Denial(
        "it ends each UNIX connection and takes nothing", "see the receiver's own log");
  }
}
