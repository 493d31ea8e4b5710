package dev.peekpass.wire;

import java.nio.ByteBuffer;

/**
 * The messages from a receiver to a proxy: writes them, and reads one at a time into itself.
 *
 * <pre>{@code
 *           0         1         2           3        4            8                    16                   24
 *          +---------+---------+-----------+--------+------------+--------------------+--------------------+
 * HELLO    | 0x01    | version | most      | flags  | 0          | granted            |
 * ACK      | 0x02    | state   | load               | 0          | settled            | granted            |
 * REFUSE   | 0x03    | reason  | 0                                | number             |
 * DENY     | 0x04    | reason  | 0                  | uid         | 0                  |
 *          +---------+---------+-----------+--------+------------+--------------------+--------------------+
 * }</pre>
 */
public final class FromReceiver {
  /** What a message is. */
  public enum Kind {
    /** The first message: version, abilities and the first credits. */
    HELLO,
    /** What is settled, how much more may come, how it goes. */
    ACK,
    /** One connection is given back untouched. */
    REFUSE,
    /** The proxy is not let in, and why: the receiver closes the channel now. */
    DENY,
    /** Of a type that this version does not know: ignored. */
    UNKNOWN,
    /** Too short, or a value that cannot be. */
    MALFORMED
  }

  private int version;
  private int maxConnections;
  private boolean claims;
  private boolean draining;
  private int load;
  private long number;
  private long granted;
  private int reason;
  private int uid;

  /** A view that holds nothing yet. */
  public FromReceiver() {}

  /** Writes a HELLO at the beginning of a buffer; returns its length. */
  public static int writeHello(ByteBuffer to, int maxConnections, boolean claims, long granted) {
    to.put(0, (byte) HandOff.TYPE_RECEIVER_HELLO);
    to.put(1, (byte) HandOff.VERSION);
    to.put(2, (byte) maxConnections);
    to.put(3, (byte) (claims ? HandOff.FLAG_CLAIMS : 0));
    Little.putU32(to, 4, 0);
    Little.putU64(to, 8, granted);
    return HandOff.RECEIVER_HELLO_BYTES;
  }

  /** Writes an ACK at the beginning of a buffer; returns its length. */
  public static int writeAck(
      ByteBuffer to, boolean draining, int load, long settled, long granted) {
    to.put(0, (byte) HandOff.TYPE_ACK);
    to.put(1, (byte) (draining ? 1 : 0));
    Little.putU16(to, 2, load);
    Little.putU32(to, 4, 0);
    Little.putU64(to, 8, settled);
    Little.putU64(to, 16, granted);
    return HandOff.ACK_BYTES;
  }

  /** Writes a REFUSE at the beginning of a buffer; returns its length. */
  public static int writeRefuse(ByteBuffer to, long number) {
    Little.putU64(to, 0, HandOff.TYPE_REFUSE);
    Little.putU64(to, 8, number);
    return HandOff.REFUSE_BYTES;
  }

  /**
   * Writes a DENY at the beginning of a buffer; returns its length.
   *
   * @param reason one of {@link HandOff}'s {@code DENIED_…}
   * @param uid the proxy's as the receiver sees it, or {@link HandOff#UID_UNKNOWN}
   */
  public static int writeDeny(ByteBuffer to, int reason, int uid) {
    Little.putU32(to, 0, HandOff.TYPE_DENY | reason << 8);
    Little.putU32(to, 4, uid);
    Little.putU64(to, 8, 0);
    return HandOff.DENY_BYTES;
  }

  /**
   * Reads a message; the other methods then tell what it says.
   *
   * @param length how many of the buffer's first bytes it has
   */
  public Kind parse(ByteBuffer bytes, int length) {
    if (length < 1) {
      return Kind.MALFORMED;
    }
    return switch (bytes.get(0)) {
      case HandOff.TYPE_RECEIVER_HELLO -> hello(bytes, length);
      case HandOff.TYPE_ACK -> ack(bytes, length);
      case HandOff.TYPE_REFUSE -> refuse(bytes, length);
      case HandOff.TYPE_DENY -> deny(bytes, length);
      default -> Kind.UNKNOWN;
    };
  }

  private Kind hello(ByteBuffer bytes, int length) {
    if (length < HandOff.RECEIVER_HELLO_BYTES) {
      return Kind.MALFORMED;
    }
    version = bytes.get(1) & 0xff;
    maxConnections = bytes.get(2) & 0xff;
    claims = (bytes.get(3) & HandOff.FLAG_CLAIMS) != 0;
    granted = Little.u64(bytes, 8);
    boolean possible =
        version > 0 && maxConnections > 0 && maxConnections <= HandOff.MAX_CONNECTIONS;
    return possible ? Kind.HELLO : Kind.MALFORMED;
  }

  private Kind ack(ByteBuffer bytes, int length) {
    if (length < HandOff.ACK_BYTES || (bytes.get(1) & 0xff) > 1) {
      return Kind.MALFORMED;
    }
    draining = bytes.get(1) == 1;
    load = Little.u16(bytes, 2);
    number = Little.u64(bytes, 8);
    granted = Little.u64(bytes, 16);
    return load <= HandOff.MAX_LOAD || load == HandOff.LOAD_UNKNOWN ? Kind.ACK : Kind.MALFORMED;
  }

  private Kind refuse(ByteBuffer bytes, int length) {
    if (length < HandOff.REFUSE_BYTES) {
      return Kind.MALFORMED;
    }
    number = Little.u64(bytes, 8);
    return Kind.REFUSE;
  }

  private Kind deny(ByteBuffer bytes, int length) {
    if (length < HandOff.DENY_BYTES) {
      return Kind.MALFORMED;
    }
    reason = bytes.get(1) & 0xff;
    uid = Little.u32(bytes, 4);
    return Kind.DENY;
  }

  /** HELLO: the highest version that the receiver speaks, 1 or more. */
  public int version() {
    return version;
  }

  /** HELLO: how many connections a message may offer, 1 to {@link HandOff#MAX_CONNECTIONS}. */
  public int maxConnections() {
    return maxConnections;
  }

  /** HELLO: whether the receiver claims each connection in the shared page. */
  public boolean claims() {
    return claims;
  }

  /** ACK: whether it wants no more, and closes once it has taken what was sent. */
  public boolean draining() {
    return draining;
  }

  /** ACK: how busy it is, 0 to 1000, or {@link HandOff#LOAD_UNKNOWN}. */
  public int load() {
    return load;
  }

  /** ACK: all connections with a number below this are settled. */
  public long settled() {
    return number;
  }

  /** REFUSE: which connection is given back. */
  public long refused() {
    return number;
  }

  /**
   * DENY: why, one of {@link HandOff}'s {@code DENIED_…} or a number that this version does not
   * know, 0 to 255.
   */
  public int deniedReason() {
    return reason;
  }

  /** DENY: the proxy's uid as the receiver sees it, unsigned, or {@link HandOff#UID_UNKNOWN}. */
  public int deniedUid() {
    return uid;
  }

  /** HELLO and ACK: connections with a number below this may be offered. Never checked here. */
  public long granted() {
    return granted;
  }
}
