package dev.peekpass.wire;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * What the fields of an HTTP/2 request say about its host (RFC 9113 section 8). Checks what could
 * make this reader and a backend see two different hosts, and the presence of the pseudo-header
 * fields. Connection-specific fields (section 8.2.2) are the backend's business: they do not touch
 * the host, and real clients send them. Reused; holds offsets only.
 */
final class Http2Request {
  static final Parsed.Invalid<Peeked> FIELD_NAME =
      invalid("field name holds upper case or what no name does (RFC 9113 section 8.2.1)");
  static final Parsed.Invalid<Peeked> FIELD_VALUE =
      invalid("NUL, CR or LF in a field value (RFC 9113 section 8.2.1)");
  static final Parsed.Invalid<Peeked> PSEUDO_UNKNOWN =
      invalid("pseudo-header field not defined for requests (RFC 9113 section 8.3)");
  static final Parsed.Invalid<Peeked> PSEUDO_LATE =
      invalid("pseudo-header field after a regular one (RFC 9113 section 8.3)");
  static final Parsed.Invalid<Peeked> PSEUDO_TWICE =
      invalid("pseudo-header field twice (RFC 9113 section 8.3)");
  static final Parsed.Invalid<Peeked> PSEUDO_MISSING =
      invalid("request lacks a pseudo-header field (RFC 9113 section 8.3.1)");
  static final Parsed.Invalid<Peeked> PATH_EMPTY =
      invalid(":path is empty (RFC 9113 section 8.3.1)");
  static final Parsed.Invalid<Peeked> AUTHORITY =
      invalid(":authority is not a host and an optional port (RFC 9113 section 8.3.1)");
  static final Parsed.Invalid<Peeked> HOST_TWICE =
      invalid("more than one host (RFC 9110 section 7.2)");
  static final Parsed.Invalid<Peeked> HOST =
      invalid("host is not a host and an optional port (RFC 9110 section 7.2)");
  static final Parsed.Invalid<Peeked> HOST_DIFFERS =
      invalid(":authority and host differ (RFC 9113 section 8.3.1)");
  static final Parsed.Invalid<Peeked> CONNECT =
      invalid("CONNECT with other than :method and :authority host:port (RFC 9113 section 8.5)");

  private static final int METHOD_SEEN = 1;
  private static final int SCHEME_SEEN = 2;
  private static final int PATH_SEEN = 4;
  private static final int AUTHORITY_SEEN = 8;

  private static final byte[] METHOD_NAME = ":method".getBytes(US_ASCII);
  private static final byte[] SCHEME_NAME = ":scheme".getBytes(US_ASCII);
  private static final byte[] PATH_NAME = ":path".getBytes(US_ASCII);
  private static final byte[] AUTHORITY_NAME = ":authority".getBytes(US_ASCII);
  private static final byte[] HOST_NAME = "host".getBytes(US_ASCII);
  private static final byte[] CONNECT_METHOD = "CONNECT".getBytes(US_ASCII);
  private static final byte[] HTTP = "http".getBytes(US_ASCII);
  private static final byte[] HTTPS = "https".getBytes(US_ASCII);

  private final Authority authority = new Authority();
  private final Authority host = new Authority();
  private int seen;
  private boolean hostSeen;
  private boolean regularSeen;
  private boolean connect;
  private int defaultPort;

  private static Parsed.Invalid<Peeked> invalid(String reason) {
    return new Parsed.Invalid<>(reason);
  }

  /** Forgets the request. */
  void clear() {
    authority.clear();
    host.clear();
    seen = 0;
    hostSeen = false;
    regularSeen = false;
    connect = false;
    defaultPort = -1;
  }

  /**
   * Takes one field.
   *
   * @param text where it stands; all fields of one request stand in the same buffer
   * @param nameFrom its name's first byte
   * @param valueFrom one past its name, and its value's first byte
   * @param valueEnd one past its value
   * @return what is wrong, or null
   */
  @Nullable Parsed<Peeked> field(ByteBuffer text, int nameFrom, int valueFrom, int valueEnd) {
    boolean pseudo = nameFrom < valueFrom && text.get(nameFrom) == ':';
    if (!isName(text, pseudo ? nameFrom + 1 : nameFrom, valueFrom)) {
      return FIELD_NAME;
    }
    if (!isValue(text, valueFrom, valueEnd)) {
      return FIELD_VALUE;
    }
    if (pseudo) {
      return regularSeen ? PSEUDO_LATE : pseudo(text, nameFrom, valueFrom, valueEnd);
    }
    regularSeen = true;
    if (!Ascii.equals(text, nameFrom, valueFrom, HOST_NAME)) {
      return null;
    }
    if (hostSeen) {
      return HOST_TWICE;
    }
    hostSeen = true;
    return isAuthority(host, text, valueFrom, valueEnd) ? null : HOST;
  }

  private static boolean isName(ByteBuffer text, int from, int to) {
    for (int at = from; at < to; at++) {
      byte b = text.get(at);
      if (b >= 'A' && b <= 'Z') {
        return false;
      }
    }
    return Ascii.isFieldName(text, from, to);
  }

  /** Reads one; an empty value is one too, and names nobody. */
  private static boolean isAuthority(Authority into, ByteBuffer text, int from, int to) {
    return from == to || into.parse(text, from, to) == Authority.Fault.NONE;
  }

  private static boolean isValue(ByteBuffer text, int from, int to) {
    for (int at = from; at < to; at++) {
      byte b = text.get(at);
      if (b == 0 || b == '\r' || b == '\n') {
        return false;
      }
    }
    return true;
  }

  private @Nullable Parsed<Peeked> pseudo(ByteBuffer text, int from, int valueFrom, int valueEnd) {
    int bit;
    if (Ascii.equals(text, from, valueFrom, AUTHORITY_NAME)) {
      bit = AUTHORITY_SEEN;
    } else if (Ascii.equals(text, from, valueFrom, METHOD_NAME)) {
      bit = METHOD_SEEN;
    } else if (Ascii.equals(text, from, valueFrom, SCHEME_NAME)) {
      bit = SCHEME_SEEN;
    } else if (Ascii.equals(text, from, valueFrom, PATH_NAME)) {
      bit = PATH_SEEN;
    } else {
      // So is :protocol: it may be sent only to a server whose SETTINGS allowed it (RFC 8441
      // section 3), and a client that was peeked at has seen none.
      return PSEUDO_UNKNOWN;
    }
    if ((seen & bit) != 0) {
      return PSEUDO_TWICE;
    }
    seen |= bit;
    switch (bit) {
      case AUTHORITY_SEEN -> {
        return isAuthority(authority, text, valueFrom, valueEnd) ? null : AUTHORITY;
      }
      case METHOD_SEEN -> connect = Ascii.equals(text, valueFrom, valueEnd, CONNECT_METHOD);
      case SCHEME_SEEN -> defaultPort = defaultPort(text, valueFrom, valueEnd);
      default -> {
        return valueFrom == valueEnd ? PATH_EMPTY : null;
      }
    }
    return null;
  }

  private static int defaultPort(ByteBuffer text, int from, int to) {
    if (Ascii.equalsIgnoringCase(text, from, to, HTTP)) {
      return 80;
    }
    return Ascii.equalsIgnoringCase(text, from, to, HTTPS) ? 443 : -1;
  }

  /**
   * Ends the request.
   *
   * @param text as for {@link #field}
   * @return what is wrong, or null: then {@link #host()} can be asked
   */
  @Nullable Parsed<Peeked> finish(ByteBuffer text) {
    if (connect) {
      if (seen != (METHOD_SEEN | AUTHORITY_SEEN) || authority.port() < 0) {
        return CONNECT;
      }
    } else if ((seen | AUTHORITY_SEEN)
        != (METHOD_SEEN | SCHEME_SEEN | PATH_SEEN | AUTHORITY_SEEN)) {
      return PSEUDO_MISSING;
    }
    if (host.isEmpty()) {
      return null;
    }
    // An :authority that is there and empty may not be replaced by host (RFC 9113 section 8.3.1).
    boolean same = authority.isEmpty() ? (seen & AUTHORITY_SEEN) == 0 : sameHost(text);
    return same ? null : HOST_DIFFERS;
  }

  /** {@code :authority}, else {@code host}; empty when there is neither. */
  Authority host() {
    return authority.isEmpty() ? host : authority;
  }

  /** Compares as routes do: no case, no trailing dot, and a missing port is the scheme's own. */
  private boolean sameHost(ByteBuffer text) {
    return port(authority) == port(host) && authority.namesSameHost(text, host);
  }

  private int port(Authority of) {
    return of.port() >= 0 ? of.port() : defaultPort;
  }
}
