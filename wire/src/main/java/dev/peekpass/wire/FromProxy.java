package dev.peekpass.wire;

import dev.peekpass.wire.ProxyHeader.Endpoint;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Reads the messages from a proxy to a receiver, one at a time ({@link OfferWriter} has them). */
public final class FromProxy {
  /** What a message is. */
  public enum Kind {
    /** The proxy's first message. */
    HELLO,
    /** Connections. */
    OFFER,
    /** Of a type that this version does not know: ignored. */
    UNKNOWN,
    /** Too short, or a value that cannot be. */
    MALFORMED
  }

  private static final int PORT_BYTES = 2;

  private ByteBuffer bytes = ByteBuffer.allocate(0);
  private int version;
  private int words;
  private int count;
  private long first;
  private final int[] starts = new int[HandOff.MAX_CONNECTIONS + 1];

  /** A view that holds nothing yet. */
  public FromProxy() {}

  /**
   * Reads a message; the other methods then tell what it says, until its bytes change.
   *
   * @param message kept until the next call
   * @param length how many of the buffer's first bytes it has
   */
  public Kind parse(ByteBuffer message, int length) {
    bytes = message;
    count = 0;
    if (length < 1) {
      return Kind.MALFORMED;
    }
    return switch (message.get(0)) {
      case HandOff.TYPE_PROXY_HELLO -> hello(length);
      case HandOff.TYPE_OFFER -> offer(length);
      default -> Kind.UNKNOWN;
    };
  }

  private Kind hello(int length) {
    if (length < HandOff.PROXY_HELLO_BYTES) {
      return Kind.MALFORMED;
    }
    version = bytes.get(1) & 0xff;
    boolean page = (Little.u16(bytes, 2) & HandOff.FLAG_CLAIMS) != 0;
    words = Little.u32(bytes, 4);
    if (version == 0 || page != (words != 0)) {
      return Kind.MALFORMED;
    }
    boolean possible = words >= 0 && words <= HandOff.MAX_CLAIM_WORDS;
    return possible && (words & words - 1) == 0 ? Kind.HELLO : Kind.MALFORMED;
  }

  private Kind offer(int length) {
    if (length < HandOff.OFFER_HEAD_BYTES) {
      return Kind.MALFORMED;
    }
    int connections = bytes.get(1) & 0xff;
    first = Little.u64(bytes, 8);
    if (connections == 0 || connections > HandOff.MAX_CONNECTIONS || first < 0) {
      return Kind.MALFORMED;
    }
    int at = HandOff.OFFER_HEAD_BYTES;
    for (int i = 0; i < connections; i++) {
      starts[i] = at;
      if (at + 2 > length) {
        return Kind.MALFORMED;
      }
      int facts = Little.u16(bytes, at);
      if (facts > HandOff.MAX_METADATA_BYTES || at + 2 + facts > length) {
        return Kind.MALFORMED;
      }
      at += 2 + facts;
    }
    starts[connections] = at;
    count = connections;
    return Kind.OFFER;
  }

  /** HELLO: the version that both are to speak. */
  public int version() {
    return version;
  }

  /** HELLO: how many claim words the page has, a power of two; 0 without a page. */
  public int words() {
    return words;
  }

  /** OFFER: how many connections, 1 to {@link HandOff#MAX_CONNECTIONS}. */
  public int count() {
    return count;
  }

  /** OFFER: the number of the first; the others follow one by one. */
  public long first() {
    return first;
  }

  /**
   * OFFER: what is said about a connection. What is not well-formed is left out: the connection is
   * none the worse for it.
   *
   * @param index from 0 to {@code count() - 1}
   */
  public Metadata metadata(int index) {
    String listener = "";
    int routeLine = 0;
    String protocol = "";
    String serverName = "";
    List<String> alpn = List.of();
    @Nullable Endpoint source = null;
    @Nullable Endpoint destination = null;
    boolean offeredBefore = false;
    int end = starts[index + 1];
    int at = starts[index] + 2;
    while (at + 2 <= end) {
      int length = bytes.get(at + 1) & 0xff;
      int value = at + 2;
      if (value + length > end) {
        break;
      }
      switch (bytes.get(at)) {
        case HandOff.META_LISTENER -> listener = text(value, length);
        case HandOff.META_ROUTE_LINE ->
            routeLine = length == Integer.BYTES ? Little.u32(bytes, value) : 0;
        case HandOff.META_PROTOCOL -> protocol = text(value, length);
        case HandOff.META_SERVER_NAME -> serverName = text(value, length);
        case HandOff.META_ALPN -> alpn = names(value, length);
        case HandOff.META_SOURCE -> source = address(value, length);
        case HandOff.META_DESTINATION -> destination = address(value, length);
        case HandOff.META_OFFERED_BEFORE -> offeredBefore = true;
        default -> {
          // A later version's.
        }
      }
      at = value + length;
    }
    return new Metadata(
        listener, routeLine, protocol, serverName, alpn, source, destination, offeredBefore);
  }

  private String text(int from, int length) {
    return new String(copy(from, length), StandardCharsets.UTF_8);
  }

  private List<String> names(int from, int length) {
    List<String> names = new ArrayList<>();
    int at = from;
    while (at < from + length) {
      int name = bytes.get(at) & 0xff;
      if (name == 0 || at + 1 + name > from + length) {
        return List.of();
      }
      names.add(new String(copy(at + 1, name), StandardCharsets.ISO_8859_1));
      at += 1 + name;
    }
    return names;
  }

  private @Nullable Endpoint address(int from, int length) {
    int addressBytes = length - PORT_BYTES;
    if (addressBytes != 4 && addressBytes != 16) {
      return null;
    }
    int at = from + addressBytes;
    int port = (bytes.get(at) & 0xff) << 8 | (bytes.get(at + 1) & 0xff);
    try {
      return new Endpoint.Inet(InetAddress.getByAddress(copy(from, addressBytes)), port);
    } catch (UnknownHostException e) {
      // Only for another number of bytes.
      throw new AssertionError(e);
    }
  }

  private byte[] copy(int from, int length) {
    byte[] copy = new byte[length];
    bytes.get(from, copy);
    return copy;
  }
}
