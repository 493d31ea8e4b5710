package dev.peekpass.proxy.backend;

import dev.peekpass.proxy.config.Balance;
import java.util.List;

/**
 * Chooses which of a backend's sockets is next. Makes no calls and allocates nothing; it keeps no
 * more than whose turn it is.
 */
public abstract class Rotation {
  /** No socket may take a connection. */
  public static final int NONE = -1;

  /** A whole share, see {@link Sockets#share}. */
  public static final int WHOLE = 1000;

  /** What it may ask about the sockets, each by its place from 0. */
  public interface Sockets {
    /** Whether a connection may be given to it now. */
    boolean mayTake(int socket);

    /**
     * How much it has to do: 0 for nothing, else a number that is only compared with others'. May
     * cost a call: asked of no more sockets than needed.
     */
    long busy(int socket);

    /** How much of its part it is to get, 1 to {@link #WHOLE}: less while it starts slowly. */
    int share(int socket);
  }

  /** The rotation for a way to balance over sockets with these paths. */
  public static Rotation of(Balance balance, List<String> paths) {
    return switch (balance) {
      case ROUND_ROBIN, LEAST_CONNECTIONS -> new InTurn(paths.size());
      case SOURCE_HASH -> new SourceHash(paths);
    };
  }

  /**
   * Chooses.
   *
   * @param clientHigh the upper 64 bits of the client's address as IPv6
   * @param clientLow the lower ones
   * @return the socket's place, or {@link #NONE}
   */
  public abstract int next(Sockets sockets, long clientHigh, long clientLow);
}
