package dev.peekpass.fuzz;

import dev.peekpass.wire.Parsed;
import dev.peekpass.wire.ParserScratch;
import dev.peekpass.wire.Peeked;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Which host a reader saw in some bytes. Two readers must not see two hosts; where one of them
 * refuses the bytes, nothing can go to two places.
 *
 * @param refused whether the bytes are refused, or not complete
 * @param host without its port; empty for none
 * @param field of HTTP/1, where the target names another host than the Host field: the latter
 */
record Reading(boolean refused, String host, String field) {
  static final Reading REFUSED = new Reading(true, "", "");

  /** What our parsers say. */
  static Reading of(Parsed<Peeked> parsed, ParserScratch scratch) {
    if (!(parsed instanceof Parsed.Found) && !(parsed instanceof Parsed.Absent)) {
      return REFUSED;
    }
    Peeked peeked = scratch.soFar();
    return new Reading(false, name(peeked.host().raw()), name(peeked.hostField().raw()));
  }

  /** What another reader says. */
  static Reading of(@Nullable String host) {
    return new Reading(false, host == null ? "" : name(host), "");
  }

  /** As names are compared: without case, no trailing dot; a dot alone is the root, and stays. */
  static String name(String text) {
    String name =
        text.length() > 1 && text.endsWith(".") ? text.substring(0, text.length() - 1) : text;
    return name.toLowerCase(Locale.ROOT);
  }

  /** The host of a Host field or authority, without userinfo and port. */
  static String withoutPort(String authority) {
    String host = authority.substring(authority.lastIndexOf('@') + 1);
    int colon = host.lastIndexOf(':');
    boolean port =
        colon >= 0 && host.substring(colon + 1).chars().allMatch(c -> c >= '0' && c <= '9');
    return port && colon > host.lastIndexOf(']') ? host.substring(0, colon) : host;
  }

  /**
   * Throws when another reader sees another host.
   *
   * @param who the other
   */
  void expectSame(Reading other, String who) {
    boolean same = refused || other.refused || host.equals(other.host);
    if (!same && AllowedDifference.of(this, other) == null) {
      throw Promise.broken(
          "\"%s\" here (Host \"%s\"), \"%s\" by %s".formatted(host, field, other.host, who));
    }
  }
}
