package dev.peekpass.wire;

import java.nio.ByteBuffer;

/**
 * The messages from a proxy to a receiver, written without allocating.
 *
 * <pre>{@code
 *           0         1         2         4            8                    16
 *          +---------+---------+---------+------------+--------------------+
 * HELLO    | 0x11    | version | flags   | words      | 0                  |   + the page, if flags say so
 * OFFER    | 0x12    | count   | 0                    | first number       | metadata × count …
 *          +---------+---------+---------+------------+--------------------+
 *
 *           0                   2
 *          +-------------------+------+--------+-----------+------+---
 * metadata | length of what    | type | length | value …   | type | …
 *          | follows           |      |        |           |      |
 *          +-------------------+------+--------+-----------+------+---
 * }</pre>
 *
 * <p>An offer: {@link #begin}, then for each connection {@link #beginConnection}, its facts, and
 * {@link #endConnection}.
 */
public final class OfferWriter {
  private static final int LENGTH_BYTES = 2;
  private static final int FACT_HEAD_BYTES = 2;

  private final ByteBuffer to;
  private int count;
  private int end;
  private int at;

  /**
   * Writes into a buffer.
   *
   * @param to at least {@link HandOff#MAX_MESSAGE_BYTES} large
   */
  public OfferWriter(ByteBuffer to) {
    this.to = to;
  }

  /**
   * Writes a HELLO.
   *
   * @param words how many claim words the page beside it has; 0 when there is no page
   * @return its length
   */
  public static int writeHello(ByteBuffer to, int version, int words) {
    to.put(0, (byte) HandOff.TYPE_PROXY_HELLO);
    to.put(1, (byte) version);
    Little.putU16(to, 2, words > 0 ? HandOff.FLAG_CLAIMS : 0);
    Little.putU32(to, 4, words);
    Little.putU64(to, 8, 0);
    return HandOff.PROXY_HELLO_BYTES;
  }

  /** Begins an OFFER of no connections yet. */
  public void begin(long firstNumber) {
    Little.putU64(to, 0, HandOff.TYPE_OFFER);
    Little.putU64(to, 8, firstNumber);
    count = 0;
    end = HandOff.OFFER_HEAD_BYTES;
  }

  /**
   * Begins the metadata of the next connection.
   *
   * @return false when the message has no room for one more, whatever its metadata
   */
  public boolean beginConnection() {
    at = end + LENGTH_BYTES;
    return count < HandOff.MAX_CONNECTIONS
        && at + HandOff.MAX_METADATA_BYTES <= HandOff.MAX_MESSAGE_BYTES;
  }

  /** The listener's address as text. */
  public void listener(byte[] address) {
    fact(HandOff.META_LISTENER, address, address.length);
  }

  /** The line of the route in the proxy's configuration. */
  public void routeLine(int line) {
    if (head(HandOff.META_ROUTE_LINE, Integer.BYTES)) {
      Little.putU32(to, at, line);
      at += Integer.BYTES;
    }
  }

  /** The protocol of the first bytes, as {@link Protocol#label}. */
  public void protocol(byte[] label) {
    fact(HandOff.META_PROTOCOL, label, label.length);
  }

  /** The host that was named, in its canonical form. */
  public void serverName(byte[] name, int length) {
    fact(HandOff.META_SERVER_NAME, name, length);
  }

  /** The protocols offered by ALPN, as on the wire (RFC 7301 section 3.1). */
  public void alpn(byte[] names, int length) {
    fact(HandOff.META_ALPN, names, length);
  }

  /**
   * The client's address as a PROXY header tells it.
   *
   * @param addressAndPort 4 or 16 bytes of address and 2 of port, in network order
   */
  public void source(byte[] addressAndPort) {
    fact(HandOff.META_SOURCE, addressAndPort, addressAndPort.length);
  }

  /** The address that the client connected to as a PROXY header tells it, as {@link #source}. */
  public void destination(byte[] addressAndPort) {
    fact(HandOff.META_DESTINATION, addressAndPort, addressAndPort.length);
  }

  /** It was offered to another before, which may still hold a copy of the descriptor. */
  public void offeredBefore() {
    head(HandOff.META_OFFERED_BEFORE, 0);
  }

  /** Ends a connection's metadata. */
  public void endConnection() {
    Little.putU16(to, end, at - end - LENGTH_BYTES);
    end = at;
    count++;
    to.put(1, (byte) count);
  }

  /** The length of the message with the connections ended so far. */
  public int length() {
    return end;
  }

  /** How many connections it offers. */
  public int count() {
    return count;
  }

  /** Leaves out what is too long, rather than cut it: a part of a name is another name. */
  private void fact(int type, byte[] value, int length) {
    if (length > 0 && head(type, length)) {
      to.put(at, value, 0, length);
      at += length;
    }
  }

  private boolean head(int type, int length) {
    int used = at - end - LENGTH_BYTES;
    if (length > HandOff.MAX_META_VALUE_BYTES
        || used + FACT_HEAD_BYTES + length > HandOff.MAX_METADATA_BYTES) {
      return false;
    }
    to.put(at, (byte) type);
    to.put(at + 1, (byte) length);
    at += FACT_HEAD_BYTES;
    return true;
  }
}
