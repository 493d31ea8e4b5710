package dev.peekpass.fuzz;

import dev.peekpass.wire.FromReceiver;
import dev.peekpass.wire.HandOff;
import java.nio.ByteBuffer;

/**
 * What a proxy reads from a receiver. An input is taken as a message; what was understood of it is
 * written anew, and must be read the same.
 */
public final class ReceiverMessageTarget {
  private static final int MOST_BYTES = 64;

  private static final FromReceiver VIEW = new FromReceiver();
  private static final FromReceiver AGAIN = new FromReceiver();
  private static final ByteBuffer OUT = ByteBuffer.allocate(MOST_BYTES);
  private static final Draw DRAW = new Draw();

  private ReceiverMessageTarget() {}

  /** Takes one input. */
  public static void fuzzerTestOneInput(byte[] input) {
    ByteBuffer bytes = ByteBuffer.wrap(input);
    FromReceiver.Kind kind = VIEW.parse(bytes, input.length);
    int length =
        switch (kind) {
          case HELLO -> {
            int most = VIEW.maxConnections();
            Promise.keep(
                VIEW.version() >= 1 && most >= 1 && most <= HandOff.MAX_CONNECTIONS,
                "an impossible HELLO");
            yield FromReceiver.writeHello(OUT, most, VIEW.claims(), VIEW.granted());
          }
          case ACK -> {
            int load = VIEW.load();
            Promise.keep(
                load >= 0 && (load <= HandOff.MAX_LOAD || load == HandOff.LOAD_UNKNOWN),
                "an impossible load");
            yield FromReceiver.writeAck(OUT, VIEW.draining(), load, VIEW.settled(), VIEW.granted());
          }
          case REFUSE -> FromReceiver.writeRefuse(OUT, VIEW.refused());
          case DENY -> FromReceiver.writeDeny(OUT, VIEW.deniedReason(), VIEW.deniedUid());
          case UNKNOWN, MALFORMED -> 0;
        };
    if (length == 0) {
      return;
    }
    Promise.keep(
        AGAIN.parse(OUT, length) == kind && same(kind, AGAIN), "not read as it was written");
    DRAW.from(input);
    if (DRAW.oneIn(16)) {
      FromReceiver anew = new FromReceiver();
      Promise.keep(
          anew.parse(bytes, input.length) == kind && same(kind, anew),
          "a view that was used says otherwise than a new one");
    }
    int cut = DRAW.below(input.length);
    FromReceiver.Kind part = AGAIN.parse(bytes, cut);
    // Less than a message is none; more than a message is the message.
    Promise.keep(
        part == (cut < length ? FromReceiver.Kind.MALFORMED : kind),
        "a part of a message is taken for another");
  }

  private static boolean same(FromReceiver.Kind kind, FromReceiver other) {
    return switch (kind) {
      case HELLO ->
          other.maxConnections() == VIEW.maxConnections()
              && other.claims() == VIEW.claims()
              && other.granted() == VIEW.granted();
      case ACK ->
          other.draining() == VIEW.draining()
              && other.load() == VIEW.load()
              && other.settled() == VIEW.settled()
              && other.granted() == VIEW.granted();
      case REFUSE -> other.refused() == VIEW.refused();
      case DENY ->
          other.deniedReason() == VIEW.deniedReason() && other.deniedUid() == VIEW.deniedUid();
      case UNKNOWN, MALFORMED -> true;
    };
  }
}
