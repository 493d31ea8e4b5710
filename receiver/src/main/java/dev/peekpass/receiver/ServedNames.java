package dev.peekpass.receiver;

import java.net.IDN;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The host names that are routed to this backend, to tell which requests are misdirected.
 *
 * <p>The proxy routes a connection by its first name and sees no more of it. A later request on the
 * same connection can be for another one: a browser uses one HTTP/2 connection for all names that
 * its certificate covers and that resolve to the same address (RFC 9113 section 9.1.1), and anybody
 * can send a second request with another Host. Such a request must be answered with 421 Misdirected
 * Request (RFC 9110 sections 7.4 and 15.5.20), upon which a client asks again on a connection of
 * its own.
 *
 * <p>Names are written as in the proxy's routes: {@code shop.example.com}; {@code *.example.com}
 * for one or more labels in front of {@code example.com}, but not {@code example.com}. They compare
 * without regard to case, without a trailing dot, as A-labels. Ports do not count.
 *
 * <p>Immutable; no input or output.
 */
public final class ServedNames {
  /** Misdirected Request (RFC 9110 section 15.5.20). */
  public static final int MISDIRECTED_REQUEST = 421;

  private static final int NAME_CHARS_MAX = 255;

  private final Set<String> exact;

  /** What stands behind the {@code *}, with its leading dot. */
  private final Set<String> suffixes;

  private final boolean likeTheHandshake;

  private ServedNames(Set<String> exact, Set<String> suffixes, boolean likeTheHandshake) {
    this.exact = Set.copyOf(exact);
    this.suffixes = Set.copyOf(suffixes);
    this.likeTheHandshake = likeTheHandshake;
  }

  /** As {@link #of(List)}. */
  public static ServedNames of(String... names) {
    return of(List.of(names));
  }

  /**
   * States the names.
   *
   * @param names as in the proxy's routes to this backend; at least one
   * @throws IllegalArgumentException when one is no host name, or there is none
   */
  public static ServedNames of(List<String> names) {
    if (names.isEmpty()) {
      throw new IllegalArgumentException("no name: every request would be misdirected");
    }
    Set<String> exact = new HashSet<>();
    Set<String> suffixes = new HashSet<>();
    for (String name : names) {
      boolean wildcard = name.startsWith("*.");
      String canonical = canonical(wildcard ? name.substring(2) : name);
      if (canonical == null || canonical.indexOf('*') >= 0) {
        throw new IllegalArgumentException(
            "\""
                + name
                + "\" is not a host name: write one like shop.example.com or *.example.com");
      }
      if (wildcard) {
        suffixes.add("." + canonical);
      } else {
        exact.add(canonical);
      }
    }
    return new ServedNames(exact, suffixes, false);
  }

  /**
   * The same names, of which a TLS connection may use only the one that its handshake was for. For
   * backends whose names differ in more than content: in their certificates, or in which clients
   * may connect.
   */
  public ServedNames onlyTheNameOfTheHandshake() {
    return new ServedNames(exact, suffixes, true);
  }

  /**
   * Whether a request does not belong here.
   *
   * @param authority of the request: its target's if it has one, else {@code :authority} or Host; a
   *     port is passed over. Null when it has none, which is for the server to judge and never
   *     misdirected
   * @param serverName of the TLS handshake (SNI); null without TLS or without it
   */
  public boolean isMisdirected(@Nullable String authority, @Nullable String serverName) {
    if (authority == null) {
      return false;
    }
    String name = canonical(withoutPort(authority));
    if (name == null || !serves(name)) {
      return true;
    }
    return likeTheHandshake && serverName != null && !name.equals(canonical(serverName));
  }

  /** Whether {@link #isMisdirected} has to be told the server name of TLS to do what was asked. */
  public boolean needsTheHandshake() {
    return likeTheHandshake;
  }

  private boolean serves(String name) {
    if (exact.contains(name)) {
      return true;
    }
    for (int dot = name.indexOf('.', 1); dot >= 0; dot = name.indexOf('.', dot + 1)) {
      if (suffixes.contains(name.substring(dot))) {
        return true;
      }
    }
    return false;
  }

  /** RFC 3986 section 3.2: {@code host [ ":" port ]}. An IP literal keeps its brackets. */
  private static String withoutPort(String authority) {
    int colon = authority.indexOf(':', Math.max(0, authority.indexOf(']')));
    return colon < 0 ? authority : authority.substring(0, colon);
  }

  /** The form in which names are compared, or null when it is none. */
  private static @Nullable String canonical(String name) {
    String bare = name.endsWith(".") ? name.substring(0, name.length() - 1) : name;
    if (bare.isEmpty() || bare.length() > NAME_CHARS_MAX || bare.startsWith(".")) {
      return null;
    }
    if (bare.contains("..")) {
      return null;
    }
    try {
      return ascii(bare).toLowerCase(Locale.ROOT);
    } catch (IllegalArgumentException e) {
      return null;
    }
  }

  private static String ascii(String name) {
    return name.chars().allMatch(c -> c > ' ' && c < 127)
        ? name
        : IDN.toASCII(name, IDN.USE_STD3_ASCII_RULES);
  }

  @Override
  public String toString() {
    return exact + " and " + suffixes + (likeTheHandshake ? ", as in the handshake" : "");
  }
}
