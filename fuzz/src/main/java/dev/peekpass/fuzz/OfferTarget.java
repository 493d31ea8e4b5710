package dev.peekpass.fuzz;

import dev.peekpass.wire.FromProxy;
import dev.peekpass.wire.HandOff;
import dev.peekpass.wire.Metadata;
import dev.peekpass.wire.OfferWriter;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * What a receiver reads from a proxy. An input is taken as a message, and also as orders to write
 * one, which must be read back as it was written.
 */
public final class OfferTarget {
  private static final int MOST_MESSAGE_BYTES = HandOff.MAX_MESSAGE_BYTES;

  private static final FromProxy VIEW = new FromProxy();
  private static final FromProxy WRITTEN = new FromProxy();
  private static final ByteBuffer OUT = ByteBuffer.allocate(MOST_MESSAGE_BYTES);
  private static final OfferWriter WRITER = new OfferWriter(OUT);
  private static final Draw DRAW = new Draw();

  private OfferTarget() {}

  /** Takes one input. */
  public static void fuzzerTestOneInput(byte[] input) {
    DRAW.from(input);
    read(input);
    if (DRAW.oneIn(16)) {
      asNew(input);
    }
    if (DRAW.oneIn(4)) {
      writeAndRead(input);
    }
  }

  private static void read(byte[] input) {
    ByteBuffer bytes = ByteBuffer.wrap(input);
    switch (VIEW.parse(bytes, input.length)) {
      case HELLO -> {
        int words = VIEW.words();
        Promise.keep(VIEW.version() >= 1 && VIEW.version() <= 255, "an impossible version");
        Promise.keep(
            words >= 0 && words <= HandOff.MAX_CLAIM_WORDS && (words & words - 1) == 0,
            "an impossible number of words");
      }
      case OFFER -> {
        int count = VIEW.count();
        Promise.keep(count >= 1 && count <= HandOff.MAX_CONNECTIONS, "an impossible count");
        Promise.keep(VIEW.first() >= 0, "a negative number");
        int chosen = DRAW.below(count);
        possible(VIEW.metadata(chosen));
        if (DRAW.oneIn(64)) {
          for (int i = 0; i < count; i++) {
            possible(VIEW.metadata(i));
          }
        }
        // What is behind a known message is ignored; what is cut off is no message.
        int cut = DRAW.below(input.length);
        FromProxy.Kind part = WRITTEN.parse(bytes, cut);
        Promise.keep(
            part == FromProxy.Kind.MALFORMED
                || (part == FromProxy.Kind.OFFER
                    && WRITTEN.count() == count
                    && WRITTEN.metadata(chosen).equals(VIEW.metadata(chosen))),
            "a shorter message says otherwise");
      }
      case UNKNOWN, MALFORMED -> {
        // Nothing to look at.
      }
    }
  }

  /** A view that has read other messages says what a new one says. */
  private static void asNew(byte[] input) {
    ByteBuffer bytes = ByteBuffer.wrap(input);
    FromProxy anew = new FromProxy();
    FromProxy.Kind kind = anew.parse(bytes, input.length);
    boolean same =
        VIEW.parse(bytes, input.length) == kind
            && switch (kind) {
              case HELLO -> VIEW.version() == anew.version() && VIEW.words() == anew.words();
              case OFFER -> {
                int chosen = VIEW.count() == anew.count() ? DRAW.below(anew.count()) : 0;
                yield VIEW.count() == anew.count()
                    && VIEW.first() == anew.first()
                    && VIEW.metadata(chosen).equals(anew.metadata(chosen));
              }
              case UNKNOWN, MALFORMED -> true;
            };
    Promise.keep(same, "a view that was used says otherwise than a new one");
  }

  private static void possible(Metadata metadata) {
    Promise.keep(
        metadata.listener().length() <= 255
            && metadata.protocol().length() <= 255
            && metadata.serverName().length() <= 255
            && metadata.alpn().size() <= 127,
        "metadata that was longer than its room");
  }

  /** One connection that was written: what must be read of it. */
  private record Order(String listener, int line, String name, int names, boolean before) {}

  private static void writeAndRead(byte[] input) {
    int version = 1 + DRAW.below(255);
    int words = DRAW.oneIn(3) ? 0 : 1 << DRAW.below(13);
    int length = OfferWriter.writeHello(OUT, version, words);
    Promise.keep(
        WRITTEN.parse(OUT, length) == FromProxy.Kind.HELLO
            && WRITTEN.version() == version
            && WRITTEN.words() == words,
        "a HELLO is not read as it was written");

    long first = (long) DRAW.below(Integer.MAX_VALUE) << DRAW.below(32);
    List<Order> orders = new ArrayList<>();
    WRITER.begin(first);
    int wanted = 1 + DRAW.below(DRAW.oneIn(16) ? 300 : 4);
    while (orders.size() < wanted && WRITER.beginConnection()) {
      byte[] listener = piece(input);
      byte[] name = piece(input);
      byte[] alpn = names(input);
      Order order =
          new Order(
              new String(listener, StandardCharsets.UTF_8),
              DRAW.below(1 << 20),
              new String(name, StandardCharsets.UTF_8),
              alpn.length == 0 ? 0 : 1,
              DRAW.oneIn(2));
      WRITER.listener(listener);
      WRITER.routeLine(order.line);
      WRITER.serverName(name, name.length);
      WRITER.alpn(alpn, alpn.length);
      if (order.before) {
        WRITER.offeredBefore();
      }
      WRITER.endConnection();
      orders.add(order);
    }
    Promise.keep(WRITER.length() <= MOST_MESSAGE_BYTES, "a message longer than any may be");
    Promise.keep(
        WRITTEN.parse(OUT, WRITER.length()) == FromProxy.Kind.OFFER
            && WRITTEN.count() == orders.size()
            && WRITTEN.first() == first,
        "an OFFER is not read as it was written");
    for (int i = 0; i < orders.size(); i++) {
      Order order = orders.get(i);
      Metadata read = WRITTEN.metadata(i);
      Promise.keep(
          read.listener().equals(order.listener)
              && read.routeLine() == order.line
              && read.serverName().equals(order.name)
              && read.alpn().size() == order.names
              && read.offeredBefore() == order.before,
          "metadata is not read as it was written");
    }
  }

  /** Some of the input's bytes, at most as many as a value may have. */
  private static byte[] piece(byte[] input) {
    int from = DRAW.below(input.length + 1);
    int length = DRAW.below(Math.min(255, input.length - from) + 1);
    byte[] piece = new byte[length];
    System.arraycopy(input, from, piece, 0, length);
    return piece;
  }

  private static byte[] names(byte[] input) {
    byte[] name = piece(input);
    if (name.length == 0 || name.length == 255) {
      return new byte[0];
    }
    byte[] names = new byte[name.length + 1];
    names[0] = (byte) name.length;
    System.arraycopy(name, 0, names, 1, name.length);
    return names;
  }
}
