package dev.peekpass.wire;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Finds the host that an HTTP/1.0 or HTTP/1.1 request head names (RFC 9112).
 *
 * <p>The authority of an absolute-form or CONNECT target beats the Host field (RFC 9112 section
 * 3.2.2), which HTTP/1.1 demands all the same, exactly once; where the two name different hosts
 * both are shown. An empty Host names nobody (section 3.2). The host is shown as sent, without its
 * port; an IP-literal keeps its brackets ({@code [2001:db8::1]}). The head must be complete, since
 * a second Host that makes it invalid may stand in its last line.
 *
 * <p>Strict where two readers of the same bytes could see two hosts, and only there: a backend is
 * asked directly by the next request on the same connection. So field names may hold what real
 * clients put there ({@link Ascii#isFieldName}).
 *
 * <p>A line is judged once its end is there; only the method is judged byte by byte, so that
 * another protocol is told at once. A lone LF ends a line too, as RFC 9112 section 2.2 allows: the
 * backend decides whether it accepts that, and to read {@code Host: a LF Host: b} as one line would
 * be worse. Field values other than Host's may hold anything but NUL and CR (RFC 9110 section 5.5).
 * Folded lines are invalid (RFC 9112 section 5.2). Framing fields are the backend's business.
 *
 * <pre>
 *            CRLF*            token            SP           LF, valid          LF LF
 *   START ───────────> START ──────> METHOD ──────> LINE ───────────> FIELDS ─────────> done
 *     │ other byte               │ other byte        │ PRI * HTTP/2.0
 *     └────────> foreign <───────┘                   └─────> PREFACE ── all there ──> foreign
 * </pre>
 */
public final class Http1Parser implements HeadParser {
  /**
   * The longest method taken for one, in bytes. RFC 9110 sets no limit; the longest one registered
   * has 17.
   */
  static final int MAX_METHOD_BYTES = 64;

  private static final Parsed.Incomplete<Peeked> ONE_MORE = new Parsed.Incomplete<>(1);
  private static final Parsed.Foreign<Peeked> NOT_HTTP = new Parsed.Foreign<>();
  static final Parsed.Invalid<Peeked> FIELD_FOLDED =
      invalid("line begins with white space (RFC 9112 section 5.2)");
  static final Parsed.Invalid<Peeked> FIELD_COLON =
      invalid("field line without a colon (RFC 9112 section 5)");
  static final Parsed.Invalid<Peeked> FIELD_NAME =
      invalid("field name holds what no name does (RFC 9112 section 5.1)");
  static final Parsed.Invalid<Peeked> FIELD_VALUE =
      invalid("NUL or CR in a field line (RFC 9110 section 5.5)");
  static final Parsed.Invalid<Peeked> HOST_TWICE =
      invalid("more than one Host (RFC 9112 section 3.2)");
  static final Parsed.Invalid<Peeked> HOST_MISSING =
      invalid("HTTP/1.1 without Host (RFC 9112 section 3.2)");
  static final Parsed.Invalid<Peeked> HOST_EMPTY =
      invalid("Host has a port and no host (RFC 9110 section 7.2)");
  static final Parsed.Invalid<Peeked> HOST_NAME =
      invalid("Host is not a host and an optional port (RFC 9110 section 7.2)");
  static final Parsed.Invalid<Peeked> HOST_PORT =
      invalid("port in Host is not 0 to 65535 (RFC 9110 section 7.2)");

  private static final byte[] HOST = "host".getBytes(US_ASCII);
  private static final byte[] PREFACE_LINE = "PRI * HTTP/2.0".getBytes(US_ASCII);

  private enum Stage {
    START,
    METHOD,
    LINE,
    PREFACE,
    FIELDS
  }

  private final ParserScratch scratch;
  private final RequestLine requestLine = new RequestLine();
  private final Authority host = new Authority();
  private boolean hostSeen;

  private Stage stage = Stage.START;

  /** The next byte to look at. */
  private int at;

  private int lineStart;
  private int methodEnd;

  /** The last CR of this line, or -1. */
  private int lastCr;

  /** Whether this line holds a NUL, or a CR that does not stand before its LF. */
  private boolean stray;

  /**
   * Makes a parser.
   *
   * @param scratch memory shared by the parsers of one thread; its limit is this parser's too
   */
  public Http1Parser(ParserScratch scratch) {
    this.scratch = scratch;
    reset();
  }

  private static Parsed.Invalid<Peeked> invalid(String reason) {
    return new Parsed.Invalid<>(reason);
  }

  /**
   * Whether a connection begins with the complete HTTP/2 client preface (RFC 9113 section 3.4),
   * which {@link #parse} calls foreign.
   *
   * @param bytes the connection's bytes, read absolutely from offset 0
   * @param length how many of them there are, at least 0
   */
  public static boolean isHttp2Preface(ByteBuffer bytes, int length) {
    return Http2Parser.startsWithPreface(bytes, length);
  }

  @Override
  public void reset() {
    stage = Stage.START;
    at = 0;
    methodEnd = 0;
    beginLine();
    requestLine.clear();
    host.clear();
    hostSeen = false;
  }

  private void beginLine() {
    lineStart = at;
    lastCr = -1;
    stray = false;
  }

  @Override
  public Parsed<Peeked> parse(ByteBuffer bytes, int length) {
    int end = Math.min(length, scratch.limitBytes());
    while (at < end) {
      Parsed<Peeked> outcome =
          switch (stage) {
            case START -> start(bytes.get(at));
            case METHOD -> method(bytes.get(at));
            case LINE -> nextLine(bytes, end) ? requestLine(bytes) : null;
            case PREFACE -> preface(bytes.get(at));
            case FIELDS -> nextLine(bytes, end) ? fieldLine(bytes) : null;
          };
      if (outcome instanceof Parsed.Invalid) {
        show(bytes);
      }
      if (outcome != null) {
        return outcome;
      }
    }
    return length < scratch.limitBytes() ? ONE_MORE : scratch.tooLarge();
  }

  /** Skips empty lines before the request line (RFC 9112 section 2.2). */
  private @Nullable Parsed<Peeked> start(byte b) {
    if (b == '\n') {
      at++;
      beginLine();
      return null;
    }
    if (lastCr >= 0) {
      return NOT_HTTP;
    }
    if (b == '\r') {
      lastCr = at++;
      return null;
    }
    stage = Stage.METHOD;
    return Ascii.isTokenChar(b) ? null : NOT_HTTP;
  }

  private @Nullable Parsed<Peeked> method(byte b) {
    if (b == ' ') {
      methodEnd = at;
      stage = Stage.LINE;
    } else if (!Ascii.isTokenChar(b) || at - lineStart >= MAX_METHOD_BYTES) {
      return NOT_HTTP;
    }
    at++;
    return null;
  }

  /** Goes to the end of the line; true when it was found, then {@code at} is on its LF. */
  private boolean nextLine(ByteBuffer bytes, int end) {
    int i = at;
    for (; i < end; i++) {
      byte b = bytes.get(i);
      if (b > '\r' || b < 0) {
        continue;
      }
      if (b == '\n') {
        at = i;
        stray |= lastCr >= 0 && lastCr != i - 1;
        return true;
      }
      if (b == '\r') {
        stray |= lastCr >= 0;
        lastCr = i;
      } else if (b == 0) {
        stray = true;
      }
    }
    at = i;
    return false;
  }

  /** The end of the line that {@link #nextLine} found, without its terminator. */
  private int lineEnd() {
    return lastCr >= 0 && lastCr == at - 1 ? lastCr : at;
  }

  private @Nullable Parsed<Peeked> requestLine(ByteBuffer bytes) {
    if (lineStart == 0 && Ascii.equals(bytes, 0, lineEnd(), PREFACE_LINE)) {
      stage = Stage.PREFACE;
      at = PREFACE_LINE.length;
      return null;
    }
    Parsed<Peeked> fault = requestLine.parse(bytes, lineStart, methodEnd, lineEnd());
    at++;
    beginLine();
    stage = Stage.FIELDS;
    return fault;
  }

  private @Nullable Parsed<Peeked> preface(byte b) {
    if (b != Http2Parser.prefaceByte(at)) {
      return RequestLine.VERSION;
    }
    at++;
    return at == Http2Parser.PREFACE_BYTES ? NOT_HTTP : null;
  }

  private @Nullable Parsed<Peeked> fieldLine(ByteBuffer bytes) {
    int end = lineEnd();
    Parsed<Peeked> outcome = end == lineStart ? finish(bytes) : field(bytes, lineStart, end);
    at++;
    beginLine();
    return outcome;
  }

  private @Nullable Parsed<Peeked> field(ByteBuffer bytes, int from, int to) {
    if (stray) {
      return FIELD_VALUE;
    }
    if (Ascii.isBlank(bytes.get(from))) {
      return FIELD_FOLDED;
    }
    int colon = from;
    while (colon < to && Ascii.isTokenChar(bytes.get(colon))) {
      colon++;
    }
    if (colon == to || bytes.get(colon) != ':') {
      return oddName(bytes, from, to);
    }
    if (colon == from) {
      return FIELD_NAME;
    }
    return Ascii.equalsIgnoringCase(bytes, from, colon, HOST)
        ? hostField(bytes, colon + 1, to)
        : null;
  }

  private static @Nullable Parsed<Peeked> oddName(ByteBuffer bytes, int from, int to) {
    int colon = Ascii.indexOf(bytes, from, to, ':');
    if (colon == to) {
      return FIELD_COLON;
    }
    return Ascii.isFieldName(bytes, from, colon) ? null : FIELD_NAME;
  }

  private @Nullable Parsed<Peeked> hostField(ByteBuffer bytes, int from, int to) {
    if (hostSeen) {
      return HOST_TWICE;
    }
    hostSeen = true;
    int start = from;
    int end = to;
    while (start < end && Ascii.isBlank(bytes.get(start))) {
      start++;
    }
    while (end > start && Ascii.isBlank(bytes.get(end - 1))) {
      end--;
    }
    if (start == end) {
      return null;
    }
    return switch (host.parse(bytes, start, end)) {
      case NONE -> null;
      case EMPTY -> HOST_EMPTY;
      case HOST -> HOST_NAME;
      case PORT -> HOST_PORT;
    };
  }

  private Parsed<Peeked> finish(ByteBuffer bytes) {
    if (!hostSeen && requestLine.hostRequired()) {
      return HOST_MISSING;
    }
    boolean named = show(bytes);
    scratch.peeked().headEnd(at + 1);
    return named ? scratch.found() : scratch.absent();
  }

  /** Shows what has been read; returns whether a host is in it. */
  private boolean show(ByteBuffer bytes) {
    Authority target = requestLine.authority();
    Authority named = target.isEmpty() ? host : target;
    Peeked peeked = scratch.peeked();
    peeked.begin(Protocol.HTTP1);
    if (named.isEmpty()) {
      return false;
    }
    peeked.host().set(bytes, named.from(), named.length());
    peeked.port(named.port());
    if (!target.isEmpty() && !host.isEmpty() && !target.namesSameHost(bytes, host)) {
      peeked.hostField().set(bytes, host.from(), host.length());
    }
    return true;
  }
}
