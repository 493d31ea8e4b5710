package dev.peekpass.wire;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Memory that any number of parsers used by one thread share, so that a parser waiting for more
 * bytes holds only its place.
 */
public final class ParserScratch {
  private final int limitBytes;
  private final Peeked peeked = new Peeked();
  private final Parsed.Found<Peeked> found = new Parsed.Found<>(peeked);
  private final Parsed.Absent<Peeked> absent = new Parsed.Absent<>(peeked);
  private final Parsed<Peeked> tooLarge;
  private final Cursor message = new Cursor();
  private final ClientHelloReader clientHello = new ClientHelloReader(found, absent);
  private ByteBuffer fragments = ByteBuffer.allocate(0);
  private @Nullable HpackDecoder hpack;

  /**
   * Makes scratch memory for one thread.
   *
   * @param limitBytes how many of a connection's first bytes the parsers may ask for ({@code
   *     max-peek}), at least 1
   */
  public ParserScratch(int limitBytes) {
    if (limitBytes < 1) {
      throw new IllegalArgumentException("limitBytes must be at least 1, is " + limitBytes);
    }
    this.limitBytes = limitBytes;
    tooLarge = new Parsed.TooLarge<>(limitBytes);
  }

  /** How many of a connection's first bytes the parsers may ask for. */
  public int limitBytes() {
    return limitBytes;
  }

  /** The view that complete heads are shown in. */
  Peeked peeked() {
    return peeked;
  }

  /**
   * What had been read of a head when a parser called it {@link Parsed.Invalid}: the protocol, and
   * the host, if that came before what is wrong. For the log; it may be empty.
   */
  public Peeked soFar() {
    return peeked;
  }

  /** The result for a head that names a host; holds {@link #peeked()}. */
  Parsed<Peeked> found() {
    return found;
  }

  /** The result for a head that names none; holds {@link #peeked()}. */
  Parsed<Peeked> absent() {
    return absent;
  }

  /** The result for a head that is, or says it is, larger than {@link #limitBytes()}. */
  Parsed<Peeked> tooLarge() {
    return tooLarge;
  }

  /** A cursor for one whole message. */
  Cursor message() {
    return message;
  }

  /** Reads whole ClientHello messages. */
  ClientHelloReader clientHello() {
    return clientHello;
  }

  /**
   * A buffer to join fragments in, overwritten by its next user.
   *
   * @param bytes its least capacity, at most {@link #limitBytes()}
   */
  ByteBuffer fragments(int bytes) {
    if (bytes > limitBytes) {
      throw new IllegalArgumentException(bytes + " is over the limit of " + limitBytes);
    }
    if (fragments.capacity() < bytes) {
      fragments = ByteBuffer.allocate(Math.min(limitBytes, Math.max(4096, 2 * bytes)));
    }
    return fragments;
  }

  /** A decoder of header blocks, made for the first HTTP/2 connection; its next user resets it. */
  HpackDecoder hpack() {
    HpackDecoder decoder = hpack;
    if (decoder == null) {
      decoder = new HpackDecoder(Http2Parser.listLimitBytes(limitBytes));
      hpack = decoder;
    }
    return decoder;
  }
}
