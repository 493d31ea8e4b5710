package dev.peekpass.wire;

import dev.peekpass.wire.ProxyHeader.Command;
import dev.peekpass.wire.ProxyHeader.Endpoint;
import dev.peekpass.wire.ProxyHeader.Family;
import dev.peekpass.wire.ProxyHeader.Tlv;
import dev.peekpass.wire.ProxyHeader.Transport;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * Version 2 of the PROXY protocol, a binary block (section 2.2):
 *
 * <pre>
 *  0                    12        13        14                  16
 * +--------------------+----+----+----+----+---------+---------+-----------+--------+
 * | signature          | 2  |cmd |fam |prot|       length       | addresses | TLVs   |
 * +--------------------+----+----+----+----+---------+---------+-----------+--------+
 *
 * TLV: type 1 | length 2 | value
 * </pre>
 *
 * <p>The block of a LOCAL header and of one whose family or transport is unspecified is passed over
 * unread, as the protocol says.
 */
final class ProxyBinaryParser {
  private static final int FIXED_BYTES = 16;
  private static final int VERSION = 2;
  private static final int LOCAL = 0;
  private static final int PROXY = 1;
  private static final int TLV_HEADER_BYTES = 3;
  private static final int TLV_CRC32C = 3; // section 2.2.3
  private static final int CRC32C_BYTES = 4;
  private static final int UNIX_PATH_BYTES = 108;

  private static final Parsed<ProxyHeader> BAD_VERSION =
      new Parsed.Invalid<>("version is not 2 (PROXY protocol 2.2)");
  private static final Parsed<ProxyHeader> COMMAND =
      new Parsed.Invalid<>("command is neither LOCAL nor PROXY (PROXY protocol 2.2)");
  private static final Parsed<ProxyHeader> FAMILY =
      new Parsed.Invalid<>("unassigned family or transport (PROXY protocol 2.2)");
  private static final Parsed<ProxyHeader> SHORT =
      new Parsed.Invalid<>("too short for the addresses (PROXY protocol 2.2)");
  private static final Parsed<ProxyHeader> TLV_LENGTH =
      new Parsed.Invalid<>("a TLV runs over the header's end (PROXY protocol 2.2)");
  private static final Parsed<ProxyHeader> CRC_LENGTH =
      new Parsed.Invalid<>("CRC32C of other than 4 bytes, or twice (PROXY protocol 2.2.3)");
  private static final Parsed<ProxyHeader> CRC_WRONG =
      new Parsed.Invalid<>("CRC32C does not match (PROXY protocol 2.2.3)");

  // The offset of the first TLV not yet judged; 0 before there is any.
  private int tlvAt;
  // The offset of the CRC32C value, or -1.
  private int crcAt = -1;

  void reset() {
    tlvAt = 0;
    crcAt = -1;
  }

  /**
   * Reads a block.
   *
   * @param bytes what begins with the signature
   * @param seen how many bytes there are
   * @param limitBytes the longest header to accept
   */
  Parsed<ProxyHeader> parse(ByteBuffer bytes, int seen, int limitBytes) {
    Parsed<ProxyHeader> wrong = fixedPart(bytes, seen);
    if (wrong != null) {
      return wrong;
    }
    int end = FIXED_BYTES + u16(bytes, 14);
    if (end > limitBytes) {
      return new Parsed.TooLarge<>(limitBytes);
    }
    boolean isLocal = command(bytes) == LOCAL;
    Family family = isLocal ? Family.UNSPEC : family(bytes);
    Transport transport = isLocal ? Transport.UNSPEC : transport(bytes);
    if (family == null || transport == null) {
      return FAMILY;
    }
    if (family == Family.UNSPEC || transport == Transport.UNSPEC) {
      return seen < end
          ? new Parsed.Incomplete<>(end - seen)
          : new Parsed.Found<>(
              new ProxyHeader(
                  VERSION,
                  isLocal ? Command.LOCAL : Command.PROXY,
                  Family.UNSPEC,
                  Transport.UNSPEC,
                  null,
                  null,
                  List.of(),
                  end));
    }
    int tlvsAt = FIXED_BYTES + addressBytes(family);
    if (tlvsAt > end) {
      return SHORT;
    }
    wrong = judgeTlvs(bytes, seen, tlvsAt, end);
    if (wrong != null) {
      return wrong;
    }
    if (crcAt >= 0 && !crcMatches(bytes, end)) {
      return CRC_WRONG;
    }
    return new Parsed.Found<>(
        new ProxyHeader(
            VERSION,
            Command.PROXY,
            family,
            transport,
            endpoint(bytes, family, 0),
            endpoint(bytes, family, 1),
            tlvs(bytes, tlvsAt, end),
            end));
  }

  /** Judges each of the first 16 bytes as soon as it is here; null when they are good. */
  private static @Nullable Parsed<ProxyHeader> fixedPart(ByteBuffer bytes, int seen) {
    if (seen > 12) {
      if (bytes.get(12) >> 4 != VERSION) {
        return BAD_VERSION;
      }
      if (command(bytes) > PROXY) {
        return COMMAND;
      }
    }
    if (seen > 13
        && command(bytes) == PROXY
        && (family(bytes) == null || transport(bytes) == null)) {
      return FAMILY;
    }
    return seen < FIXED_BYTES ? new Parsed.Incomplete<>(seen == 14 ? 2 : 1) : null;
  }

  private static int command(ByteBuffer bytes) {
    return bytes.get(12) & 0xf;
  }

  /** Null for a value that is not assigned. */
  private static @Nullable Family family(ByteBuffer bytes) {
    return switch ((bytes.get(13) & 0xf0) >> 4) {
      case 0 -> Family.UNSPEC;
      case 1 -> Family.INET;
      case 2 -> Family.INET6;
      case 3 -> Family.UNIX;
      default -> null;
    };
  }

  /** Null for a value that is not assigned. */
  private static @Nullable Transport transport(ByteBuffer bytes) {
    return switch (bytes.get(13) & 0xf) {
      case 0 -> Transport.UNSPEC;
      case 1 -> Transport.STREAM;
      case 2 -> Transport.DGRAM;
      default -> null;
    };
  }

  /** Walks the TLVs, keeping its place; null when all of them are here and good. */
  private @Nullable Parsed<ProxyHeader> judgeTlvs(ByteBuffer bytes, int seen, int from, int end) {
    if (tlvAt == 0) {
      tlvAt = from;
    }
    while (tlvAt < end) {
      int valueAt = tlvAt + TLV_HEADER_BYTES;
      if (valueAt > end) {
        return TLV_LENGTH;
      }
      if (valueAt > seen) {
        return new Parsed.Incomplete<>(valueAt - seen);
      }
      int valueBytes = u16(bytes, tlvAt + 1);
      if (valueBytes > end - valueAt) {
        return TLV_LENGTH;
      }
      if (bytes.get(tlvAt) == TLV_CRC32C) {
        if (valueBytes != CRC32C_BYTES || crcAt >= 0) {
          return CRC_LENGTH;
        }
        crcAt = valueAt;
      }
      tlvAt = valueAt + valueBytes;
    }
    return seen < end ? new Parsed.Incomplete<>(end - seen) : null;
  }

  /** Section 2.2.3: computed over the whole header, with zeroes in place of the sum. */
  private boolean crcMatches(ByteBuffer bytes, int end) {
    CRC32C crc = new CRC32C();
    crc.update(bytes.slice(0, crcAt));
    crc.update(new byte[CRC32C_BYTES]);
    crc.update(bytes.slice(crcAt + CRC32C_BYTES, end - crcAt - CRC32C_BYTES));
    long sent = (long) u16(bytes, crcAt) << 16 | u16(bytes, crcAt + 2);
    return crc.getValue() == sent;
  }

  private static List<Tlv> tlvs(ByteBuffer bytes, int from, int end) {
    List<Tlv> tlvs = new ArrayList<>();
    int at = from;
    while (at < end) {
      byte[] value = new byte[u16(bytes, at + 1)];
      bytes.get(at + TLV_HEADER_BYTES, value);
      tlvs.add(new Tlv(bytes.get(at) & 0xff, value));
      at += TLV_HEADER_BYTES + value.length;
    }
    return tlvs;
  }

  /** How long the addresses and ports of both ends are together (section 2.2). */
  private static int addressBytes(Family family) {
    return switch (family) {
      case UNSPEC -> 0;
      case INET -> 2 * 4 + 2 * 2;
      case INET6 -> 2 * 16 + 2 * 2;
      case UNIX -> 2 * UNIX_PATH_BYTES;
    };
  }

  /** The source (0) or the destination (1): both addresses come first, then both ports. */
  private static Endpoint endpoint(ByteBuffer bytes, Family family, int which) {
    if (family == Family.UNIX) {
      return new Endpoint.Unix(path(bytes, FIXED_BYTES + which * UNIX_PATH_BYTES));
    }
    byte[] address = new byte[family == Family.INET ? 4 : 16];
    bytes.get(FIXED_BYTES + which * address.length, address);
    int port = u16(bytes, FIXED_BYTES + 2 * address.length + 2 * which);
    return new Endpoint.Inet(AddressText.address(address), port);
  }

  /** A path ends at its first NUL, an abstract name (it begins with NUL) before the padding. */
  private static String path(ByteBuffer bytes, int from) {
    byte[] path = new byte[UNIX_PATH_BYTES];
    bytes.get(from, path);
    int length = 0;
    if (path[0] != 0) {
      while (length < path.length && path[length] != 0) {
        length++;
      }
    } else {
      length = path.length;
      while (length > 0 && path[length - 1] == 0) {
        length--;
      }
    }
    return new String(Arrays.copyOf(path, length), StandardCharsets.ISO_8859_1);
  }

  private static int u16(ByteBuffer bytes, int at) {
    return (bytes.get(at) & 0xff) << 8 | (bytes.get(at + 1) & 0xff);
  }
}
