package dev.peekpass.fuzz;

import java.util.function.BiPredicate;
import org.jspecify.annotations.Nullable;

/** Where another reader may see another host than ours, and why that misleads nobody. */
enum AllowedDifference {
  /** A server that goes by the Host field. */
  HOST_FIELD(
      "The target of an HTTP/1 request names a host, and Host another one. The target goes first"
          + " (RFC 9112 section 3.2.2); some servers go by Host. The parser shows both, and the"
          + " proxy refuses the request unless on-mismatch says otherwise.",
      (ours, other) -> !ours.field().isEmpty() && ours.field().equals(other.host()));

  private final String reason;

  @SuppressWarnings("ImmutableEnumChecker") // A function of its arguments alone.
  private final BiPredicate<Reading, Reading> holds;

  AllowedDifference(String reason, BiPredicate<Reading, Reading> holds) {
    this.reason = reason;
    this.holds = holds;
  }

  /** In sentences, with the section of the RFC; docs/fuzzing.md has it too. */
  String reason() {
    return reason;
  }

  /** The difference that two readings are, or null. */
  static @Nullable AllowedDifference of(Reading ours, Reading other) {
    for (AllowedDifference one : values()) {
      if (one.holds.test(ours, other)) {
        return one;
      }
    }
    return null;
  }
}
