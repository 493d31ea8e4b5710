package dev.peekpass.receiver;

import java.util.concurrent.atomic.LongAdder;

/** The counters behind {@link Statistics}, which any thread may read while one counts. */
final class Tally {
  final LongAdder accepted = new LongAdder();
  final LongAdder gone = new LongAdder();
  final LongAdder notTcp = new LongAdder();
  final LongAdder withoutDescriptor = new LongAdder();
  final LongAdder truncated = new LongAdder();
  final LongAdder refusedPeers = new LongAdder();
  final LongAdder unixConnections = new LongAdder();
  final LongAdder openUnixConnections = new LongAdder();
  final LongAdder waitsForRoom = new LongAdder();
  final LongAdder takenBack = new LongAdder();
  final LongAdder refusedChannels = new LongAdder();
  final LongAdder unlogged = new LongAdder();

  Statistics snapshot() {
    return new Statistics(
        accepted.sum(),
        gone.sum(),
        notTcp.sum(),
        withoutDescriptor.sum(),
        truncated.sum(),
        refusedPeers.sum(),
        unixConnections.sum(),
        openUnixConnections.sum(),
        waitsForRoom.sum(),
        takenBack.sum(),
        refusedChannels.sum(),
        unlogged.sum());
  }
}
