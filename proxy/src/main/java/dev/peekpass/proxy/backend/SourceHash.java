package dev.peekpass.proxy.backend;

import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * The same socket for the same client, by rendezvous: each client ranks the sockets by a hash of
 * its address and the socket's path, and takes the first that is there. So a socket that goes moves
 * only its own clients, one that comes back gets the very same, and all loops and the next proxy
 * agree.
 *
 * <p>A client is an IPv4 address, or an IPv6 network of 64 bits, within which hosts choose
 * addresses as they like and change them (RFC 8981).
 */
public final class SourceHash extends Rotation {
  private static final long FNV_OFFSET = 0xcbf29ce484222325L;
  private static final long FNV_PRIME = 0x100000001b3L;

  private final long[] names;

  /** Ranks sockets by their paths. */
  public SourceHash(List<String> paths) {
    names = paths.stream().mapToLong(SourceHash::hash).toArray();
  }

  @Override
  public int next(Sockets sockets, long clientHigh, long clientLow) {
    boolean v4 = clientHigh == 0 && clientLow >>> 32 == 0xffff;
    long client = mix(v4 ? clientLow : clientHigh);
    int best = first(sockets, client, true);
    return best == NONE ? first(sockets, client, false) : best;
  }

  private int first(Sockets sockets, long client, boolean byShare) {
    int best = NONE;
    long highest = 0;
    for (int socket = 0; socket < names.length; socket++) {
      long rank = mix(client ^ names[socket]);
      if ((best == NONE || Long.compareUnsigned(rank, highest) > 0)
          && sockets.mayTake(socket)
          && (!byShare || takesPart(sockets.share(socket), rank))) {
        best = socket;
        highest = rank;
      }
    }
    return best;
  }

  /** Whether a client is among the first that a socket gets which starts slowly; then it stays. */
  private static boolean takesPart(int share, long rank) {
    return share >= WHOLE || Long.remainderUnsigned(mix(rank), WHOLE) < share;
  }

  /** FNV-1a. */
  private static long hash(String path) {
    long hash = FNV_OFFSET;
    for (byte b : path.getBytes(StandardCharsets.UTF_8)) {
      hash = (hash ^ (b & 0xff)) * FNV_PRIME;
    }
    return mix(hash);
  }

  /** Spreads each bit over all: the finalizer of SplitMix64. */
  private static long mix(long value) {
    long z = value + 0x9e3779b97f4a7c15L;
    z = (z ^ z >>> 30) * 0xbf58476d1ce4e5b9L;
    z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
    return z ^ z >>> 31;
  }
}
