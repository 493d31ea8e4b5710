package dev.peekpass.wire;

import dev.peekpass.wire.ProxyHeader.Endpoint;
import java.util.HexFormat;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Outcomes of a {@link ProxyHeaderParser} as one line of text. */
final class ProxyOutcome {
  private ProxyOutcome() {}

  static String of(Parsed<ProxyHeader> parsed) {
    return switch (parsed) {
      case Parsed.Incomplete<ProxyHeader>(int needed) -> "incomplete " + needed;
      case Parsed.Foreign<ProxyHeader>() -> "foreign";
      case Parsed.TooLarge<ProxyHeader>(int limitBytes) -> "too large " + limitBytes;
      case Parsed.Invalid<ProxyHeader>(String reason) -> "invalid: " + reason;
      case Parsed.Found<ProxyHeader>(ProxyHeader header) -> values(header);
      case Parsed.Absent<ProxyHeader>(ProxyHeader header) -> "absent " + values(header);
    };
  }

  private static String values(ProxyHeader header) {
    return "v%d %s %s %s %s -> %s end=%d tlvs=%s"
        .formatted(
            header.version(),
            header.command(),
            header.family(),
            header.transport(),
            end(header.source()),
            end(header.destination()),
            header.lengthBytes(),
            header.tlvs().stream()
                .map(tlv -> tlv.type() + ":" + HexFormat.of().formatHex(tlv.value()))
                .collect(Collectors.joining(",")));
  }

  private static String end(@Nullable Endpoint endpoint) {
    return switch (endpoint) {
      case null -> "none";
      case Endpoint.Inet(var address, int port) -> address.getHostAddress() + "|" + port;
      case Endpoint.Unix(String path) -> "'" + path + "'";
    };
  }

  static String whole(ProxyHeaderParser parser, byte[] bytes) {
    parser.reset();
    return of(parser.parse(HeadOutcome.exact(bytes, bytes.length), bytes.length));
  }

  static String whole(ProxyHeaderParser parser, String latin1) {
    return whole(parser, HelloBuilder.latin1(latin1));
  }

  /** A byte at a time until the outcome is settled. */
  static String byteWise(ProxyHeaderParser parser, byte[] bytes) {
    parser.reset();
    Parsed<ProxyHeader> parsed = parser.parse(HeadOutcome.exact(bytes, 0), 0);
    for (int n = 1; n <= bytes.length && parsed instanceof Parsed.Incomplete; n++) {
      parsed = parser.parse(HeadOutcome.exact(bytes, n), n);
    }
    return of(parsed);
  }
}
