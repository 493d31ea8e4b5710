package dev.peekpass.proxy.backend;

/**
 * The socket that has the least to do, those that have equally much in turn. What "to do" is, the
 * caller says: where it is 0 for all this is plain round-robin.
 */
public final class InTurn extends Rotation {
  private final int[] savedShares;
  private int turn;

  /** Begins with the first of so many sockets. */
  public InTurn(int sockets) {
    savedShares = new int[sockets];
  }

  @Override
  public int next(Sockets sockets, long clientHigh, long clientLow) {
    int best = least(sockets, true);
    if (best == NONE) {
      // Only such as start slowly are there.
      best = least(sockets, false);
    }
    if (best != NONE) {
      turn = after(best);
    }
    return best;
  }

  private int least(Sockets sockets, boolean byShare) {
    int best = NONE;
    long least = Long.MAX_VALUE;
    int socket = turn;
    for (int i = 0; i < savedShares.length; i++) {
      if (sockets.mayTake(socket) && (!byShare || takesPart(sockets, socket))) {
        long busy = sockets.busy(socket);
        if (busy < least) {
          least = busy;
          best = socket;
        }
        if (busy == 0) {
          return best;
        }
      }
      socket = after(socket);
    }
    return best;
  }

  /** A socket with a share of 250 takes part in every fourth choice. */
  private boolean takesPart(Sockets sockets, int socket) {
    int share = sockets.share(socket);
    if (share >= WHOLE) {
      savedShares[socket] = 0;
      return true;
    }
    savedShares[socket] += share;
    if (savedShares[socket] < WHOLE) {
      return false;
    }
    savedShares[socket] -= WHOLE;
    return true;
  }

  private int after(int socket) {
    return socket + 1 == savedShares.length ? 0 : socket + 1;
  }
}
