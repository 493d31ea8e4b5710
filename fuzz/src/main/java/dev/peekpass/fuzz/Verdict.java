package dev.peekpass.fuzz;

import dev.peekpass.wire.HostName;
import dev.peekpass.wire.Parsed;
import dev.peekpass.wire.ParserScratch;
import dev.peekpass.wire.Peeked;
import dev.peekpass.wire.Protocol;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * All that a parser has said of some bytes, copied out of the view that it reuses, so that two
 * verdicts can be compared. Reused; allocates nothing.
 */
final class Verdict {
  /** The kinds of {@link Parsed}. */
  enum Kind {
    INCOMPLETE,
    FOUND,
    ABSENT,
    FOREIGN,
    TOO_LARGE,
    INVALID
  }

  private static final int MOST_ALPN_BYTES = 1 << 16;

  private final byte[] host = new byte[HostName.MAX_BYTES];
  private final byte[] hostField = new byte[HostName.MAX_BYTES];
  private final byte[] alpn = new byte[MOST_ALPN_BYTES];
  private Kind kind = Kind.INCOMPLETE;
  private int needed;
  private int limit;
  private String reason = "";
  private int hostLength;
  private boolean hostEmpty;
  private boolean routable;
  private int hostFieldLength;
  private int alpnLength;
  private int port;
  private int headEnd;
  private int records;
  private boolean encryptedClientHello;
  private @Nullable Protocol protocol;

  /** Takes what a parser has just said. */
  void take(Parsed<Peeked> parsed, ParserScratch scratch) {
    needed = 0;
    limit = 0;
    reason = "";
    headEnd = 0;
    switch (parsed) {
      case Parsed.Incomplete<Peeked> incomplete -> {
        kind = Kind.INCOMPLETE;
        needed = incomplete.needed();
      }
      case Parsed.Found<Peeked> found -> {
        kind = Kind.FOUND;
        take(found.value());
      }
      case Parsed.Absent<Peeked> absent -> {
        kind = Kind.ABSENT;
        take(absent.value());
      }
      case Parsed.Foreign<Peeked> _ -> kind = Kind.FOREIGN;
      case Parsed.TooLarge<Peeked> tooLarge -> {
        kind = Kind.TOO_LARGE;
        limit = tooLarge.limitBytes();
      }
      case Parsed.Invalid<Peeked> invalid -> {
        kind = Kind.INVALID;
        reason = invalid.reason();
        takeNames(scratch.soFar());
      }
    }
  }

  private void take(Peeked peeked) {
    takeNames(peeked);
    port = peeked.port();
    headEnd = peeked.headEnd();
    records = peeked.records();
    encryptedClientHello = peeked.encryptedClientHello();
    alpnLength = peeked.alpn().copyTo(alpn);
  }

  private void takeNames(Peeked peeked) {
    protocol = peeked.protocol();
    hostEmpty = peeked.host().isEmpty();
    routable = peeked.host().isRoutable();
    hostLength = peeked.host().copyTo(host, 0);
    hostFieldLength = peeked.hostField().copyTo(hostField, 0);
  }

  Kind kind() {
    return kind;
  }

  /** Whether a complete head was seen. */
  boolean isHead() {
    return kind == Kind.FOUND || kind == Kind.ABSENT;
  }

  boolean isSettled() {
    return kind != Kind.INCOMPLETE;
  }

  int needed() {
    return needed;
  }

  /** The offset after the head; 0 when there is none. */
  int headEnd() {
    return headEnd;
  }

  /** Whether everything in it is possible for a parser with such a limit that saw so many bytes. */
  boolean isPossible(int seen, int limitBytes) {
    return switch (kind) {
      case INCOMPLETE -> needed >= 1 && seen < limitBytes && needed <= limitBytes - seen;
      case FOUND -> !hostEmpty && headIsPossible(seen, limitBytes);
      case ABSENT -> hostEmpty && headIsPossible(seen, limitBytes);
      case FOREIGN -> true;
      case TOO_LARGE -> limit >= limitBytes;
      case INVALID -> !reason.isEmpty();
    };
  }

  private boolean headIsPossible(int seen, int limitBytes) {
    return headEnd >= 1
        && headEnd <= Math.min(seen, limitBytes)
        && port >= -1
        && port <= 65_535
        && (protocol == Protocol.TLS ? records >= 1 && port == -1 : records == 0)
        && !(routable && hostLength == 0);
  }

  /** Whether another says the same; that of incomplete ones may need other numbers of bytes. */
  boolean says(Verdict other) {
    if (kind != other.kind || limit != other.limit || !reason.equals(other.reason)) {
      return false;
    }
    return switch (kind) {
      case INCOMPLETE, FOREIGN, TOO_LARGE -> true;
      case INVALID -> namesAsIn(other);
      case FOUND, ABSENT ->
          namesAsIn(other)
              && port == other.port
              && headEnd == other.headEnd
              && records == other.records
              && encryptedClientHello == other.encryptedClientHello
              && Arrays.equals(alpn, 0, alpnLength, other.alpn, 0, other.alpnLength);
    };
  }

  private boolean namesAsIn(Verdict other) {
    return protocol == other.protocol
        && hostEmpty == other.hostEmpty
        && routable == other.routable
        && Arrays.equals(host, 0, hostLength, other.host, 0, other.hostLength)
        && Arrays.equals(hostField, 0, hostFieldLength, other.hostField, 0, other.hostFieldLength);
  }

  @Override
  public String toString() {
    String text = kind.toString();
    return switch (kind) {
      case INCOMPLETE -> text + " needs " + needed;
      case FOREIGN -> text;
      case TOO_LARGE -> text + " over " + limit;
      case INVALID -> text + " " + reason;
      case FOUND, ABSENT ->
          "%s %s host=%s field=%s port=%d end=%d records=%d"
              .formatted(
                  text,
                  protocol,
                  latin1(host, hostLength),
                  latin1(hostField, hostFieldLength),
                  port,
                  headEnd,
                  records);
    };
  }

  private static String latin1(byte[] bytes, int length) {
    return new String(bytes, 0, length, java.nio.charset.StandardCharsets.ISO_8859_1);
  }
}
