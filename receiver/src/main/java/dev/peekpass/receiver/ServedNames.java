package dev.peekpass.receiver;

import java.net.IDN;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.OptionalInt;
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
  /**
   * Stands in the place of a server name that a TLS handshake did not have: {@code null} is no TLS.
   */
  public static final String NO_SERVER_NAME = "";

  /** Misdirected Request (RFC 9110 section 15.5.20). */
  public static final int MISDIRECTED_REQUEST = 421;

  private static final int BAD_REQUEST = 400;
  private static final int NAME_CHARS_MAX = 255;

  // RFC 3986 sections 2.2, 2.3 and 3.1.
  private static final String REG_NAME_MARKS = "-._~!$&'()*+,;=";
  private static final String SCHEME_MARKS = "+-.";

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
   * The same names, of which a TLS connection may use only the one that its handshake was for: none
   * of them, where its handshake had no server name. Without TLS they all may be used. For backends
   * whose names differ in more than content: in their certificates, or in which clients may
   * connect.
   */
  public ServedNames onlyTheNameOfTheHandshake() {
    return new ServedNames(exact, suffixes, true);
  }

  /**
   * Whether a request does not belong here.
   *
   * <p>A request may have several authorities: ask for each, or by {@link #refusal}.
   *
   * @param authority that the request names: its target's, {@code :authority}, or Host; a port is
   *     passed over. Null or empty when it names none (RFC 9112 section 3.2), which is for the
   *     server to judge and never misdirected
   * @param serverName of the TLS handshake (SNI); {@link #NO_SERVER_NAME} when that had none; null
   *     without TLS
   */
  public boolean isMisdirected(@Nullable String authority, @Nullable String serverName) {
    if (authority == null || authority.chars().allMatch(c -> c == ' ' || c == '\t')) {
      return false;
    }
    String name = canonical(withoutPort(authority));
    if (name == null || !serves(name)) {
      return true;
    }
    return likeTheHandshake && serverName != null && !name.equals(canonical(serverName));
  }

  /**
   * How to refuse an HTTP/1 request, if it is to be refused. Every host that it names must be
   * served here, in the target and in Host: which of them an application goes by is not known here
   * (RFC 9112 section 3.2.2 says the target's; many take Host).
   *
   * @param method of the request line
   * @param target of the request line, as sent
   * @param hosts the values of all Host fields
   * @param serverName as for {@link #isMisdirected}
   * @return 421; 400 for several Host fields (RFC 9112 section 3.2); empty when it belongs here
   */
  public OptionalInt refusal(
      String method, String target, List<String> hosts, @Nullable String serverName) {
    if (hosts.size() > 1) {
      return OptionalInt.of(BAD_REQUEST);
    }
    boolean misdirected =
        isMisdirected(authority(method, target), serverName)
            || (!hosts.isEmpty() && isMisdirected(hosts.getFirst(), serverName));
    return misdirected ? OptionalInt.of(MISDIRECTED_REQUEST) : OptionalInt.empty();
  }

  /**
   * What a request target names (RFC 9112 section 3.2): null in origin-form and asterisk-form. A
   * target of no form at all is given back as it is, and is the name of nobody.
   */
  private static @Nullable String authority(String method, String target) {
    if (method.equals("CONNECT")) {
      return target;
    }
    if (target.startsWith("/") || target.equals("*")) {
      return null;
    }
    int from = target.indexOf("://") + 3;
    if (from < 3 || !target.substring(0, from - 3).chars().allMatch(ServedNames::isSchemeChar)) {
      return target;
    }
    int to = from;
    while (to < target.length() && "/?#".indexOf(target.charAt(to)) < 0) {
      to++;
    }
    return from == to ? target : target.substring(from, to);
  }

  private static boolean isSchemeChar(int c) {
    return isAlphanumeric(c) || SCHEME_MARKS.indexOf(c) >= 0;
  }

  private static boolean isAlphanumeric(int c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
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

  /**
   * RFC 3986 section 3.2: {@code host [ ":" port ]}. An IP literal keeps its brackets. What is no
   * port stays, so that it is no name: {@code a:b@c} is the host c of the user a.
   */
  private static String withoutPort(String authority) {
    int colon = authority.indexOf(':', Math.max(0, authority.indexOf(']')));
    boolean port =
        colon >= 0 && authority.substring(colon + 1).chars().allMatch(c -> c >= '0' && c <= '9');
    return port ? authority.substring(0, colon) : authority;
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
      String ascii = ascii(bare).toLowerCase(Locale.ROOT);
      return isName(ascii) ? ascii : null;
    } catch (IllegalArgumentException e) {
      return null;
    }
  }

  /** An IP literal, or what every reader takes for the same name: nothing to be decoded or cut. */
  private static boolean isName(String ascii) {
    return ascii.startsWith("[")
        ? ascii.matches("\\[[0-9a-f:.]+]")
        : ascii.chars().allMatch(c -> isAlphanumeric(c) || REG_NAME_MARKS.indexOf(c) >= 0);
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
