package dev.peekpass.wire;

import java.net.InetAddress;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a PROXY protocol header says about the connection it stands before (The PROXY protocol,
 * versions 1 and 2, section 2). Immutable.
 *
 * @param version 1 (the text line) or 2 (the binary block)
 * @param command whether the addresses of the connection itself are to be used instead
 * @param family what kind of addresses follow; {@link Family#UNSPEC} for {@code UNKNOWN} and {@link
 *     Command#LOCAL}
 * @param transport what the client spoke; {@link Transport#UNSPEC} as for {@code family}
 * @param source who connected to the sender, or null when the header does not tell: use the
 *     connection's own peer then
 * @param destination what the client connected to; null exactly when {@code source} is
 * @param tlvs further facts in wire order, version 2 only; empty when {@code source} is null
 * @param lengthBytes the offset after the header, where the client's own bytes begin; 15 to 107 for
 *     version 1, 16 to 65,551 for version 2
 */
public record ProxyHeader(
    int version,
    Command command,
    Family family,
    Transport transport,
    @Nullable Endpoint source,
    @Nullable Endpoint destination,
    List<Tlv> tlvs,
    int lengthBytes) {

  /** Copies the list. */
  public ProxyHeader {
    tlvs = List.copyOf(tlvs);
  }

  /** On whose behalf the connection was made (section 2.2, byte 13). */
  public enum Command {
    /** The sender's own, a health check say: it is as if there were no header. */
    LOCAL,
    /** Another node's. Always so in version 1. */
    PROXY
  }

  /** The kind of the addresses (section 2.2, byte 14, high half). */
  public enum Family {
    /** None that can be told. */
    UNSPEC,
    /** IPv4. */
    INET,
    /** IPv6. */
    INET6,
    /** UNIX sockets. */
    UNIX
  }

  /** What the client spoke to the sender (section 2.2, byte 14, low half). */
  public enum Transport {
    /** It cannot be told. */
    UNSPEC,
    /** TCP, or a UNIX stream socket. Always so in version 1 when addresses are given. */
    STREAM,
    /** UDP, or a UNIX datagram socket. */
    DGRAM
  }

  /** One end of the client's connection. */
  public sealed interface Endpoint {

    /**
     * An end with an IP address.
     *
     * @param address IPv6 exactly when the family is {@link Family#INET6}, an IPv4-mapped one too;
     *     without a host name, so that nothing is ever looked up
     * @param port 0 to 65535
     */
    record Inet(InetAddress address, int port) implements Endpoint {

      /** The address as text, IPv6 in the form of RFC 5952. */
      public String text() {
        return AddressText.text(address.getAddress());
      }
    }

    /**
     * A UNIX socket.
     *
     * @param path each byte one character (Latin-1), without the padding; empty for an unnamed
     *     socket, beginning with NUL for an abstract one (unix(7)). At most 108 characters
     */
    record Unix(String path) implements Endpoint {}
  }

  /**
   * One type-length-value field (section 2.2). Immutable.
   *
   * <p>A class and no record, since a record would show its array.
   */
  public static final class Tlv {
    private final int type;
    private final byte[] value;

    Tlv(int type, byte[] value) {
      this.type = type;
      this.value = value;
    }

    /** What kind of value this is, 0 to 255 (section 2.2: PP2_TYPE_ALPN is 1, and so on). */
    public int type() {
      return type;
    }

    /** A copy of the value, 0 to 65,532 bytes. */
    public byte[] value() {
      return value.clone();
    }
  }
}
