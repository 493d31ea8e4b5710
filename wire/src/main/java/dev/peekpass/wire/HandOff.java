package dev.peekpass.wire;

/**
 * The numbers of the acknowledged hand-off, docs/protocol.md version 1. Integers on the wire are
 * little-endian; unknown message types and unknown bytes behind a known message are ignored, which
 * is the room to grow.
 */
public final class HandOff {
  /** The version that is written here, and the only one there is. */
  public static final int VERSION = 1;

  /** The longest message, in bytes. */
  public static final int MAX_MESSAGE_BYTES = 16 * 1024;

  /** The longest metadata of one connection, in bytes, without its length. */
  public static final int MAX_METADATA_BYTES = 1024;

  /** The most connections that a message can offer: the kernel's SCM_MAX_FD (unix(7)). */
  public static final int MAX_CONNECTIONS = 253;

  /** The most claim words that a page may have; how many there are is a power of two. */
  public static final int MAX_CLAIM_WORDS = 4096;

  /** What {@code load} says when a receiver does not tell. */
  public static final int LOAD_UNKNOWN = 0xffff;

  /** The most that {@code load} says, in thousandths. */
  public static final int MAX_LOAD = 1000;

  /** Why a receiver denies: the user that the proxy runs as may not hand connections over. */
  public static final int DENIED_USER = 1;

  /** Why a receiver denies: it has as many UNIX connections as it takes. */
  public static final int DENIED_FULL = 2;

  /** Why a receiver denies: there is no version that both speak. */
  public static final int DENIED_VERSION = 3;

  /** The uid of a DENY that does not tell. */
  public static final int UID_UNKNOWN = 0xffffffff;

  // Types from the receiver to the proxy, then from the proxy to the receiver.
  static final int TYPE_RECEIVER_HELLO = 0x01;
  static final int TYPE_ACK = 0x02;
  static final int TYPE_REFUSE = 0x03;
  static final int TYPE_DENY = 0x04;
  static final int TYPE_PROXY_HELLO = 0x11;
  static final int TYPE_OFFER = 0x12;

  static final int RECEIVER_HELLO_BYTES = 16;
  static final int ACK_BYTES = 24;
  static final int REFUSE_BYTES = 16;
  static final int DENY_BYTES = 16;
  static final int PROXY_HELLO_BYTES = 16;
  static final int OFFER_HEAD_BYTES = 16;

  /**
   * The receiver maps the page and claims before it touches a connection; or a page comes along.
   */
  static final int FLAG_CLAIMS = 1;

  // Metadata: a type and a length, a byte each, then the value.
  static final int META_LISTENER = 1;
  static final int META_ROUTE_LINE = 2;
  static final int META_PROTOCOL = 3;
  static final int META_SERVER_NAME = 4;
  static final int META_ALPN = 5;
  static final int META_SOURCE = 6;
  static final int META_DESTINATION = 7;
  static final int META_OFFERED_BEFORE = 8;
  static final int MAX_META_VALUE_BYTES = 255;

  private HandOff() {}
}
