package dev.peekpass.proxy.handoff;

import dev.peekpass.linux.Message;
import dev.peekpass.proxy.connection.Batch;
import dev.peekpass.wire.HandOff;
import dev.peekpass.wire.OfferWriter;

/** The message that offers connections to a receiver, written over for each. */
final class OfferMessage {
  private final Message out = new Message(HandOff.MAX_MESSAGE_BYTES, Channel.MOST_AT_ONCE);
  private final OfferWriter writer = new OfferWriter(out.payload());
  private final OfferMetadata metadata = new OfferMetadata(writer);
  private final MessageLimit limit = new MessageLimit(1);

  /** A new receiver takes so many at once. */
  void want(int connections) {
    limit.want(connections);
  }

  /** How many to offer at once at a time. */
  int most(long nowNanos) {
    return limit.at(nowNanos);
  }

  /**
   * Writes an offer of the first of a batch, and lays them open to be claimed.
   *
   * @param count how many, 1 or more
   * @return how many went into it, 1 or more
   */
  int write(Batch batch, int count, Offers offers) {
    writer.begin(offers.next());
    while (writer.count() < count && writer.beginConnection()) {
      metadata.write(batch.get(writer.count()));
    }
    int written = writer.count();
    out.beginSend(writer.length());
    for (int i = 0; i < written; i++) {
      out.add(batch.get(i).fd);
      offers.layOpen(offers.next() + i);
    }
    return written;
  }

  /** So many were too many: returns how many to try next. */
  int refused(int count, long nowNanos) {
    return limit.refused(count, nowNanos);
  }

  /** The message, as last written. */
  Message message() {
    return out;
  }
}
