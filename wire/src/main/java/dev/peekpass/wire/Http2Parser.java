package dev.peekpass.wire;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Finds the host that the first request of an HTTP/2 connection with prior knowledge names (RFC
 * 9113 section 3.3): {@code :authority}, else {@code host}; if both are there they must agree.
 *
 * <p>The client preface and a SETTINGS frame come first, then any frames that a client may send
 * before its first request, then HEADERS and its CONTINUATIONs. A client that waits for the
 * server's SETTINGS stays {@link Parsed.Incomplete}. No SETTINGS were sent to the client, so the
 * initial values hold: frames of 16,384 bytes, a header table of 4,096.
 *
 * <pre>
 *   Length (24) │ Type (8) │ Flags (8) │ R (1) Stream Identifier (31) │ Frame Payload
 *
 *            all 24 bytes           SETTINGS            HEADERS, END_HEADERS
 *   PREFACE ─────────────> FIRST ───────────> BEFORE ──────────────────────────> done
 *      │ other byte                            │  ↺ other frames       END_HEADERS ↑
 *      └───────> foreign                       └─ HEADERS ─> BLOCK ────────────────┘
 *                                                              ↺ CONTINUATION
 * </pre>
 */
public final class Http2Parser implements HeadParser {
  private static final byte[] PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(US_ASCII);

  /** How long the client preface is, without the SETTINGS frame that follows it. */
  static final int PREFACE_BYTES = 24;

  /**
   * The largest list of fields taken, in bytes as RFC 9113 section 6.5.2 counts them, unless the
   * scratch memory's limit is larger.
   */
  static final int MIN_LIST_LIMIT_BYTES = 65536;

  private static final int FRAME_HEADER_BYTES = 9;
  private static final int MAX_FRAME_BYTES = 16384;
  private static final int MAX_WINDOW = Integer.MAX_VALUE;
  private static final int INITIAL_WINDOW = 65535;

  private static final int DATA = 0x0;
  private static final int HEADERS = 0x1;
  private static final int PRIORITY = 0x2;
  private static final int RST_STREAM = 0x3;
  private static final int SETTINGS = 0x4;
  private static final int PUSH_PROMISE = 0x5;
  private static final int PING = 0x6;
  private static final int GOAWAY = 0x7;
  private static final int WINDOW_UPDATE = 0x8;
  private static final int CONTINUATION = 0x9;

  /** RFC 9218 section 7.1. */
  private static final int PRIORITY_UPDATE = 0x10;

  private static final int FLAG_ACK = 0x1;
  private static final int FLAG_END_HEADERS = 0x4;
  private static final int FLAG_PADDED = 0x8;
  private static final int FLAG_PRIORITY = 0x20;

  private static final int SETTINGS_ENABLE_PUSH = 0x2;
  private static final int SETTINGS_INITIAL_WINDOW_SIZE = 0x4;
  private static final int SETTINGS_MAX_FRAME_SIZE = 0x5;

  private static final Parsed.Incomplete<Peeked> ONE_MORE = new Parsed.Incomplete<>(1);
  private static final Parsed.Foreign<Peeked> NOT_HTTP2 = new Parsed.Foreign<>();
  static final Parsed.Invalid<Peeked> FIRST_FRAME =
      invalid("first frame is not SETTINGS (RFC 9113 section 3.4)");
  static final Parsed.Invalid<Peeked> FRAME_SIZE =
      invalid("frame over 16384 bytes (RFC 9113 section 4.2)");
  static final Parsed.Invalid<Peeked> DATA_IDLE =
      invalid("DATA before HEADERS (RFC 9113 section 5.1)");
  static final Parsed.Invalid<Peeked> HEADERS_STREAM =
      invalid("HEADERS on a stream with no odd number (RFC 9113 section 5.1.1)");
  static final Parsed.Invalid<Peeked> HEADERS_SIZE =
      invalid("HEADERS too short for its flags (RFC 9113 section 6.2)");
  static final Parsed.Invalid<Peeked> HEADERS_PADDING =
      invalid("padding longer than HEADERS (RFC 9113 section 6.2)");
  static final Parsed.Invalid<Peeked> PRIORITY_FRAME =
      invalid("PRIORITY on stream 0 or not of 5 bytes (RFC 9113 section 6.3)");
  static final Parsed.Invalid<Peeked> RST_STREAM_IDLE =
      invalid("RST_STREAM before HEADERS (RFC 9113 section 6.4)");
  static final Parsed.Invalid<Peeked> SETTINGS_FRAME =
      invalid("SETTINGS on a stream or of a wrong size (RFC 9113 section 6.5)");
  static final Parsed.Invalid<Peeked> SETTINGS_VALUE =
      invalid("setting out of range (RFC 9113 section 6.5.2)");
  static final Parsed.Invalid<Peeked> PUSH =
      invalid("PUSH_PROMISE from a client (RFC 9113 section 8.4)");
  static final Parsed.Invalid<Peeked> PING_FRAME =
      invalid("PING on a stream or not of 8 bytes (RFC 9113 section 6.7)");
  static final Parsed.Invalid<Peeked> GOAWAY_FRAME =
      invalid("GOAWAY on a stream or under 8 bytes (RFC 9113 section 6.8)");
  static final Parsed.Invalid<Peeked> WINDOW_UPDATE_FRAME =
      invalid("WINDOW_UPDATE on an idle stream or not of 4 bytes (RFC 9113 section 6.9)");
  static final Parsed.Invalid<Peeked> WINDOW =
      invalid("WINDOW_UPDATE by 0 or beyond 2^31-1 (RFC 9113 section 6.9)");
  static final Parsed.Invalid<Peeked> PRIORITY_UPDATE_FRAME =
      invalid("PRIORITY_UPDATE on a stream or under 4 bytes (RFC 9218 section 7.1)");
  static final Parsed.Invalid<Peeked> CONTINUATION_ALONE =
      invalid("CONTINUATION without HEADERS (RFC 9113 section 6.10)");
  static final Parsed.Invalid<Peeked> BLOCK_BROKEN =
      invalid("another frame inside a header block (RFC 9113 section 6.10)");
  static final Parsed.Invalid<Peeked> COMPRESSION =
      invalid("header block does not decode (RFC 7541)");

  private enum Stage {
    PREFACE,
    FIRST,
    BEFORE,
    BLOCK
  }

  private final ParserScratch scratch;
  private final Parsed.TooLarge<Peeked> listTooLarge;
  private final Http2Request request = new Http2Request();

  private Stage stage = Stage.PREFACE;

  /** The next byte of the preface, or the next frame. */
  private int at;

  /** The HEADERS frame, once there is one. */
  private int headersAt;

  private int stream;
  private long window;

  /**
   * Makes a parser.
   *
   * @param scratch memory shared by the parsers of one thread; its limit is this parser's too
   */
  public Http2Parser(ParserScratch scratch) {
    this.scratch = scratch;
    this.listTooLarge = new Parsed.TooLarge<>(listLimitBytes(scratch.limitBytes()));
    reset();
  }

  private static Parsed.Invalid<Peeked> invalid(String reason) {
    return new Parsed.Invalid<>(reason);
  }

  /** The largest list of fields taken by parsers that may ask for {@code limitBytes}. */
  static int listLimitBytes(int limitBytes) {
    return Math.max(MIN_LIST_LIMIT_BYTES, limitBytes);
  }

  /** Whether all of the client preface is there. */
  static boolean startsWithPreface(ByteBuffer bytes, int length) {
    return Ascii.startsWith(bytes, 0, length, PREFACE);
  }

  /** One byte of the client preface. */
  static byte prefaceByte(int index) {
    return PREFACE[index];
  }

  @Override
  public void reset() {
    stage = Stage.PREFACE;
    at = 0;
    headersAt = 0;
    stream = 0;
    window = INITIAL_WINDOW;
  }

  @Override
  public Parsed<Peeked> parse(ByteBuffer bytes, int length) {
    scratch.peeked().begin(Protocol.HTTP2);
    if (stage == Stage.PREFACE) {
      Parsed<Peeked> outcome = preface(bytes, Math.min(length, scratch.limitBytes()));
      if (outcome != null) {
        return outcome;
      }
    }
    while (true) {
      int payload = at + FRAME_HEADER_BYTES;
      if (payload > scratch.limitBytes()) {
        return scratch.tooLarge();
      }
      if (payload > length) {
        return incomplete(payload - length);
      }
      Parsed<Peeked> fault = frameHeader(bytes);
      if (fault != null) {
        return fault;
      }
      int next = payload + payloadBytes(bytes, at);
      if (next > scratch.limitBytes()) {
        return scratch.tooLarge();
      }
      if (next > length) {
        return incomplete(next - length);
      }
      Parsed<Peeked> outcome = frame(bytes, payload, next);
      if (outcome != null) {
        return outcome;
      }
      at = next;
    }
  }

  private static Parsed<Peeked> incomplete(int needed) {
    return needed == 1 ? ONE_MORE : new Parsed.Incomplete<>(needed);
  }

  private @Nullable Parsed<Peeked> preface(ByteBuffer bytes, int end) {
    while (at < PREFACE_BYTES) {
      if (at == end) {
        return end < scratch.limitBytes() ? ONE_MORE : scratch.tooLarge();
      }
      if (bytes.get(at) != PREFACE[at]) {
        return NOT_HTTP2;
      }
      at++;
    }
    stage = Stage.FIRST;
    return null;
  }

  private static int payloadBytes(ByteBuffer bytes, int frame) {
    return (bytes.get(frame) & 0xff) << 16
        | (bytes.get(frame + 1) & 0xff) << 8
        | (bytes.get(frame + 2) & 0xff);
  }

  private static int type(ByteBuffer bytes, int frame) {
    return bytes.get(frame + 3) & 0xff;
  }

  private static boolean hasFlag(ByteBuffer bytes, int frame, int flag) {
    return (bytes.get(frame + 4) & flag) != 0;
  }

  private static int uint31(ByteBuffer bytes, int from) {
    return uint32(bytes, from) & 0x7fffffff;
  }

  private static int uint32(ByteBuffer bytes, int from) {
    return (bytes.get(from) & 0xff) << 24
        | (bytes.get(from + 1) & 0xff) << 16
        | (bytes.get(from + 2) & 0xff) << 8
        | (bytes.get(from + 3) & 0xff);
  }

  /** What is wrong with the header of the frame at {@code at}, or null. */
  private @Nullable Parsed<Peeked> frameHeader(ByteBuffer bytes) {
    int size = payloadBytes(bytes, at);
    int type = type(bytes, at);
    int onStream = uint31(bytes, at + 5);
    boolean ack = hasFlag(bytes, at, FLAG_ACK);
    if (stage == Stage.FIRST && (type != SETTINGS || ack)) {
      return FIRST_FRAME;
    }
    if (stage == Stage.BLOCK && (type != CONTINUATION || onStream != stream)) {
      return BLOCK_BROKEN;
    }
    if (size > MAX_FRAME_BYTES) {
      return FRAME_SIZE;
    }
    // An ACK of SETTINGS that were never sent is let through: it does no harm to the host's
    // reading.
    return switch (type) {
      case DATA -> DATA_IDLE;
      case HEADERS -> onStream % 2 == 1 ? null : HEADERS_STREAM;
      case PRIORITY -> onStream != 0 && size == 5 ? null : PRIORITY_FRAME;
      case RST_STREAM -> RST_STREAM_IDLE;
      case SETTINGS ->
          onStream == 0 && size % 6 == 0 && !(ack && size != 0) ? null : SETTINGS_FRAME;
      case PUSH_PROMISE -> PUSH;
      case PING -> onStream == 0 && size == 8 ? null : PING_FRAME;
      case GOAWAY -> onStream == 0 && size >= 8 ? null : GOAWAY_FRAME;
      case WINDOW_UPDATE -> onStream == 0 && size == 4 ? null : WINDOW_UPDATE_FRAME;
      case CONTINUATION -> stage == Stage.BLOCK ? null : CONTINUATION_ALONE;
      case PRIORITY_UPDATE -> onStream == 0 && size >= 4 ? null : PRIORITY_UPDATE_FRAME;
      // Unknown types are to be ignored (RFC 9113 section 5.5).
      default -> null;
    };
  }

  /** Takes the frame at {@code at}, whose payload is {@code from} to {@code to}. */
  private @Nullable Parsed<Peeked> frame(ByteBuffer bytes, int from, int to) {
    return switch (type(bytes, at)) {
      case SETTINGS -> settings(bytes, from, to);
      case WINDOW_UPDATE -> windowUpdate(uint31(bytes, from));
      case HEADERS -> headers(bytes, to);
      case CONTINUATION -> hasFlag(bytes, at, FLAG_END_HEADERS) ? joined(bytes, to) : null;
      default -> null;
    };
  }

  private @Nullable Parsed<Peeked> windowUpdate(int increment) {
    window += increment;
    return increment == 0 || window > MAX_WINDOW ? WINDOW : null;
  }

  private @Nullable Parsed<Peeked> settings(ByteBuffer bytes, int from, int to) {
    stage = Stage.BEFORE;
    for (int setting = from; setting < to; setting += 6) {
      int identifier = (bytes.get(setting) & 0xff) << 8 | (bytes.get(setting + 1) & 0xff);
      long value = uint32(bytes, setting + 2) & 0xffffffffL;
      boolean valid =
          switch (identifier) {
            case SETTINGS_ENABLE_PUSH -> value <= 1;
            case SETTINGS_INITIAL_WINDOW_SIZE -> value <= MAX_WINDOW;
            case SETTINGS_MAX_FRAME_SIZE -> value >= MAX_FRAME_BYTES && value < 1 << 24;
            default -> true;
          };
      if (!valid) {
        return SETTINGS_VALUE;
      }
    }
    return null;
  }

  private @Nullable Parsed<Peeked> headers(ByteBuffer bytes, int to) {
    int block = blockFrom(bytes, at);
    if (block > to) {
      return HEADERS_SIZE;
    }
    int blockEnd = to - padding(bytes, at);
    if (block > blockEnd) {
      return HEADERS_PADDING;
    }
    if (hasFlag(bytes, at, FLAG_END_HEADERS)) {
      return decode(bytes, block, blockEnd, to);
    }
    headersAt = at;
    stream = uint31(bytes, at + 5);
    stage = Stage.BLOCK;
    return null;
  }

  /** Where the fragment in a HEADERS frame begins, behind what its flags announce. */
  private static int blockFrom(ByteBuffer bytes, int frame) {
    return frame
        + FRAME_HEADER_BYTES
        + (hasFlag(bytes, frame, FLAG_PADDED) ? 1 : 0)
        + (hasFlag(bytes, frame, FLAG_PRIORITY) ? 5 : 0);
  }

  private static int padding(ByteBuffer bytes, int frame) {
    return hasFlag(bytes, frame, FLAG_PADDED) ? bytes.get(frame + FRAME_HEADER_BYTES) & 0xff : 0;
  }

  /** Joins the fragments of HEADERS and its CONTINUATIONs, the last of which ends at {@code to}. */
  private Parsed<Peeked> joined(ByteBuffer bytes, int to) {
    ByteBuffer block = scratch.fragments(to - headersAt).clear();
    int length = 0;
    int frame = headersAt;
    while (frame < to) {
      int end = frame + FRAME_HEADER_BYTES + payloadBytes(bytes, frame);
      boolean first = frame == headersAt;
      int from = first ? blockFrom(bytes, frame) : frame + FRAME_HEADER_BYTES;
      int count = end - from - (first ? padding(bytes, frame) : 0);
      block.put(length, bytes, from, count);
      length += count;
      frame = end;
    }
    return decode(block, 0, length, to);
  }

  private Parsed<Peeked> decode(ByteBuffer block, int from, int to, int headEnd) {
    HpackDecoder fields = scratch.hpack();
    fields.reset();
    fields.begin(block, from, to);
    request.clear();
    HpackDecoder.Step step = fields.next();
    // A malformed field does not end the decoding: a block that does not decode says so first.
    Parsed<Peeked> fault = null;
    while (step == HpackDecoder.Step.FIELD) {
      if (fault == null) {
        fault =
            request.field(fields.text(), fields.nameFrom(), fields.valueFrom(), fields.valueEnd());
      }
      step = fields.next();
    }
    if (step == HpackDecoder.Step.CORRUPT) {
      return COMPRESSION;
    }
    if (step == HpackDecoder.Step.TOO_LARGE) {
      return listTooLarge;
    }
    if (fault == null) {
      fault = request.finish(fields.text());
    }
    boolean named = show(fields.text());
    scratch.peeked().headEnd(headEnd);
    return fault != null ? fault : named ? scratch.found() : scratch.absent();
  }

  /** Shows what has been read; returns whether a host is in it. */
  private boolean show(ByteBuffer text) {
    Authority host = request.host();
    if (host.isEmpty()) {
      return false;
    }
    Peeked peeked = scratch.peeked();
    peeked.host().set(text, host.from(), host.length());
    peeked.port(host.port());
    return true;
  }
}
