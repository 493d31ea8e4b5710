package dev.peekpass.wire;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Finds the server name and the ALPN list in a TLS ClientHello, TLS 1.0 to 1.3, spread over any
 * number of records and arriving in any number of pieces.
 *
 * <p>It works in two phases. The first walks the record headers, keeping its place, until the
 * record that completes the message is here as a whole. The second looks into the message once; if
 * it is spread over several records it is joined first, in memory that all parsers of a thread
 * share.
 *
 * <pre>
 *  0         1         2         3         4         5
 * +---------+---------+---------+---------+---------+----------------------+
 * | type 22 | major 3 | minor   |      length       | fragment, 1 to 2^14  |  TLSPlaintext
 * +---------+---------+---------+---------+---------+----------------------+  RFC 8446 5.1
 *
 * +---------+-----------------------------+--------------------------------+
 * | type 1  |           length            | ClientHello                    |  Handshake
 * +---------+-----------------------------+--------------------------------+  RFC 8446 4
 * </pre>
 *
 * <p>A byte that settles the outcome settles it at once, whatever comes after it and however the
 * bytes are cut into segments. Further handshake messages in the record that completes the
 * ClientHello are let pass: RFC 8446 section 5.1 allows several in one record, and whether they may
 * come here is between the client and the server. What the client offers (versions, cipher suites,
 * compression methods) is not judged either, only that it is there: that too is for the server.
 */
public final class ClientHelloParser implements HeadParser {
  private static final int RECORD_HEADER_BYTES = 5;
  private static final int MESSAGE_HEADER_BYTES = 4;
  // RFC 8446 section 5.1 and RFC 5246 section 6.2.1: TLSPlaintext.length MUST NOT exceed 2^14.
  private static final int MAX_FRAGMENT_BYTES = 1 << 14;

  private static final int CONTENT_TYPE_HANDSHAKE = 22; // RFC 8446 section 5.1
  private static final int VERSION_MAJOR = 3; // RFC 8446 section 5.1: 0x0301, 0x0303
  private static final int HANDSHAKE_TYPE_CLIENT_HELLO = 1; // RFC 8446 section 4

  private static final Parsed<Peeked> FOREIGN = new Parsed.Foreign<>();
  private static final Parsed<Peeked> RECORD_TYPE =
      new Parsed.Invalid<>("another record type inside the ClientHello (RFC 8446 section 5.1)");
  private static final Parsed<Peeked> RECORD_VERSION =
      new Parsed.Invalid<>("record version changes its major number (RFC 8446 section 5.1)");
  private static final Parsed<Peeked> RECORD_EMPTY =
      new Parsed.Invalid<>("handshake record of length 0 (RFC 8446 section 5.1)");
  private static final Parsed<Peeked> RECORD_LENGTH =
      new Parsed.Invalid<>("record longer than 2^14 bytes (RFC 8446 section 5.1)");
  private static final Parsed<Peeked> MESSAGE_TYPE =
      new Parsed.Invalid<>("first handshake message is not a ClientHello (RFC 8446 section 4)");

  private final ParserScratch scratch;

  // The next offset that phase one looks at: in a record header, or behind it in the fragment.
  private int at;
  // The offset after the record that is being read, or -1 while its header is not complete.
  private int recordEnd;
  private int records;
  // The message's header as far as it is read, type first, and how many of its bytes those are.
  private int messageHeader;
  private int messageHeaderBytes;
  // How many of the message's bytes lie beyond recordEnd; not positive once this record completes
  // it. Meaningful when the message's header is complete.
  private int beyondRecord;

  /**
   * A parser at the first byte of a connection.
   *
   * @param scratch memory shared with the other parsers of the thread; its {@link
   *     ParserScratch#limitBytes()} bounds the offset after the record that completes the hello
   */
  public ClientHelloParser(ParserScratch scratch) {
    this.scratch = scratch;
    reset();
  }

  @Override
  public void reset() {
    at = 0;
    recordEnd = -1;
    records = 0;
    messageHeader = 0;
    messageHeaderBytes = 0;
    beyondRecord = 0;
  }

  /**
   * {@inheritDoc}
   *
   * <p>{@link Parsed.Foreign} if byte 0 is not 22 or byte 1 is not 3; {@link Parsed.TooLarge} as
   * soon as the lengths announced cannot be met within the limit; {@link Parsed.Absent} for a hello
   * without server_name, {@link Parsed.Found} for one with.
   */
  @Override
  public Parsed<Peeked> parse(ByteBuffer bytes, int length) {
    scratch.peeked().begin(Protocol.TLS);
    // What lies beyond the limit would not have been peeked.
    int seen = Math.min(length, scratch.limitBytes());
    while (true) {
      if (recordEnd < 0) {
        Parsed<Peeked> settled = readRecordHeader(bytes, seen);
        if (settled != null) {
          return settled;
        }
      }
      if (messageHeaderBytes < MESSAGE_HEADER_BYTES) {
        Parsed<Peeked> settled = readMessageHeader(bytes, seen);
        if (settled != null) {
          return settled;
        }
      }
      if (messageHeaderBytes == MESSAGE_HEADER_BYTES && beyondRecord <= 0) {
        return seen < recordEnd ? incomplete(seen, recordEnd - seen) : message(bytes);
      }
      if (seen <= recordEnd) {
        // The next record's first byte is the next one that can settle anything.
        return incomplete(seen, recordEnd - seen + 1);
      }
      at = recordEnd;
      recordEnd = -1;
    }
  }

  /** Reads the header at {@code at}; null when it is complete and good. */
  private @Nullable Parsed<Peeked> readRecordHeader(ByteBuffer bytes, int seen) {
    int have = seen - at;
    if (have >= 1 && (bytes.get(at) & 0xff) != CONTENT_TYPE_HANDSHAKE) {
      // RFC 8446 section 5.1: no other record type may come between a message's fragments.
      return records == 0 ? FOREIGN : RECORD_TYPE;
    }
    if (have >= 2 && (bytes.get(at + 1) & 0xff) != VERSION_MAJOR) {
      return records == 0 ? FOREIGN : RECORD_VERSION;
    }
    if (have >= 4 && (bytes.get(at + 3) & 0xff) > MAX_FRAGMENT_BYTES >>> 8) {
      return RECORD_LENGTH;
    }
    if (have < RECORD_HEADER_BYTES) {
      // Byte 2, the minor version, settles nothing.
      return incomplete(seen, have == 2 ? 2 : 1);
    }
    int fragmentBytes = (bytes.get(at + 3) & 0xff) << 8 | (bytes.get(at + 4) & 0xff);
    if (fragmentBytes == 0) {
      return RECORD_EMPTY;
    }
    if (fragmentBytes > MAX_FRAGMENT_BYTES) {
      return RECORD_LENGTH;
    }
    at += RECORD_HEADER_BYTES;
    recordEnd = at + fragmentBytes;
    beyondRecord -= fragmentBytes;
    records++;
    return fits() ? null : scratch.tooLarge();
  }

  /** Reads what the current record has of the message's header; null when there is more to do. */
  private @Nullable Parsed<Peeked> readMessageHeader(ByteBuffer bytes, int seen) {
    while (messageHeaderBytes < MESSAGE_HEADER_BYTES && at < recordEnd) {
      if (at >= seen) {
        // Its type settles something, then the last byte of its length, or the next record's type.
        int left = MESSAGE_HEADER_BYTES - messageHeaderBytes;
        return incomplete(seen, messageHeaderBytes == 0 ? 1 : Math.min(left, recordEnd - seen + 1));
      }
      messageHeader = messageHeader << 8 | (bytes.get(at) & 0xff);
      at++;
      messageHeaderBytes++;
      if (messageHeaderBytes == 1 && messageHeader != HANDSHAKE_TYPE_CLIENT_HELLO) {
        return MESSAGE_TYPE;
      }
    }
    if (messageHeaderBytes < MESSAGE_HEADER_BYTES) {
      return null;
    }
    beyondRecord = messageBytes() - (recordEnd - at);
    return fits() ? null : scratch.tooLarge();
  }

  /** The message's length without its header, 0 to 2^24 - 1. */
  private int messageBytes() {
    return messageHeader & 0xff_ffff;
  }

  /** Whether what is announced can be complete within the limit, in the fewest records possible. */
  private boolean fits() {
    int least = recordEnd;
    if (messageHeaderBytes == MESSAGE_HEADER_BYTES && beyondRecord > 0) {
      int leastRecords = (beyondRecord + MAX_FRAGMENT_BYTES - 1) / MAX_FRAGMENT_BYTES;
      least += beyondRecord + leastRecords * RECORD_HEADER_BYTES;
    }
    return least <= scratch.limitBytes();
  }

  private Parsed<Peeked> incomplete(int seen, int needed) {
    return needed > scratch.limitBytes() - seen
        ? scratch.tooLarge()
        : new Parsed.Incomplete<>(needed);
  }

  /** Phase two, on a message that is here as a whole. */
  private Parsed<Peeked> message(ByteBuffer bytes) {
    Peeked peeked = scratch.peeked();
    peeked.headEnd(recordEnd);
    peeked.records(records);
    Cursor message = scratch.message();
    if (records == 1) {
      int from = RECORD_HEADER_BYTES + MESSAGE_HEADER_BYTES;
      message.over(bytes, from, from + messageBytes());
    } else {
      message.over(join(bytes), 0, messageBytes());
    }
    return scratch.clientHello().read(message, peeked);
  }

  /** Copies the message, without its header, out of its records. */
  private ByteBuffer join(ByteBuffer bytes) {
    ByteBuffer joined = scratch.fragments(messageBytes());
    int skip = MESSAGE_HEADER_BYTES;
    int filled = 0;
    int header = 0;
    while (filled < messageBytes()) {
      int fragmentBytes = (bytes.get(header + 3) & 0xff) << 8 | (bytes.get(header + 4) & 0xff);
      int skipped = Math.min(skip, fragmentBytes);
      skip -= skipped;
      int count = Math.min(fragmentBytes - skipped, messageBytes() - filled);
      joined.put(filled, bytes, header + RECORD_HEADER_BYTES + skipped, count);
      filled += count;
      header += RECORD_HEADER_BYTES + fragmentBytes;
    }
    return joined;
  }
}
