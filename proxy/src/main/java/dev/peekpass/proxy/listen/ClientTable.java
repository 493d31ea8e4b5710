package dev.peekpass.proxy.listen;

import dev.peekpass.proxy.connection.Connection;
import dev.peekpass.proxy.route.HostHash;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.turn.Turn;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * What one loop knows of its clients: how many of their connections are incomplete, and how many
 * have come of late. An entry is a number; it stays the same until the entry is released.
 *
 * <p>Bounded: {@link #CAPACITY} entries of 52 bytes, which is 3.4 MB, and nothing before there is
 * one. It grows by doubling and allocates nothing else. All it does takes the same time however
 * full it is. The hash is keyed by a secret of this table, so that nobody can choose addresses that
 * collide.
 *
 * <p>An entry that counts connections stays as long as it does. One that only remembers what came
 * of late goes once that is too long ago to matter, or earlier when the table is full: its client
 * begins anew then. Where not even that makes room, a client is not counted, and let in.
 */
final class ClientTable {
  /** No entry. */
  static final int NONE = -1;

  /** The most entries of a loop's table. */
  static final int CAPACITY = 1 << 16;

  private static final int FIRST_SIZE = 1 << 8;

  /** How many entries are looked at to find one that can go. */
  private static final int LOOK = 16;

  /** How many entries are looked at, for each that is added, whether they can go. */
  private static final int SWEEP = 2;

  private static final int UNUSED = -1;

  // An address and its scope are hashed in three blocks of 56 bits at most.
  private static final int BYTE_BITS = 8;
  private static final long BYTE = (1L << BYTE_BITS) - 1;
  private static final int LOW_BITS = 24;
  private static final long LOW = (1L << LOW_BITS) - 1;

  private final Turn turn;
  private final int capacity;
  private final HostHash hash = HostHash.random();

  // The client of each entry, and on whose behalf it is counted.
  private int[] scopes = {};
  private long[] highs = {};
  private long[] lows = {};

  /** How many of its connections are incomplete. */
  private int[] counts = {};

  /** When all that came of it is forgotten, by its rate. */
  private long[] calmNanos = {};

  /** Its place in the order of its scope. */
  private int[] places = {};

  // Its connections, the oldest first; linked in themselves.
  private @Nullable Connection[] oldest = {};
  private @Nullable Connection[] newest = {};

  /** The next one of the same chain, or the next free one. */
  private int[] nexts = {};

  private int[] chains = {};
  private int free = NONE;
  private int fresh;
  private int size;
  private int hand;

  /**
   * Makes an empty table.
   *
   * @param capacity a power of two, the most entries
   */
  ClientTable(Turn turn, int capacity) {
    this.turn = turn;
    this.capacity = capacity;
  }

  /** How many entries there are. */
  int size() {
    return size;
  }

  /** The entry of a client, or {@link #NONE}. */
  int find(int scope, long high, long low) {
    if (size == 0) {
      return NONE;
    }
    int entry = chains[chain(scope, high, low)];
    while (entry != NONE
        && (lows[entry] != low || highs[entry] != high || scopes[entry] != scope)) {
      entry = nexts[entry];
    }
    return entry;
  }

  /** The entry of a client, a new one if there is none; {@link #NONE} when there is no room. */
  int findOrAdd(int scope, long high, long low) {
    int found = find(scope, high, low);
    return found != NONE ? found : add(scope, high, low);
  }

  private int add(int scope, long high, long low) {
    sweep(SWEEP);
    int entry = take();
    if (entry == NONE) {
      turn.count(Counter.CLIENT_NOT_TRACKED);
      return NONE;
    }
    scopes[entry] = scope;
    highs[entry] = high;
    lows[entry] = low;
    counts[entry] = 0;
    calmNanos[entry] = Long.MIN_VALUE;
    int chain = chain(scope, high, low);
    nexts[entry] = chains[chain];
    chains[chain] = entry;
    size++;
    return entry;
  }

  private int take() {
    if (free == NONE && fresh == scopes.length && !grow()) {
      makeRoom();
    }
    if (free != NONE) {
      int entry = free;
      free = nexts[entry];
      return entry;
    }
    return fresh < scopes.length ? fresh++ : NONE;
  }

  private boolean grow() {
    int length = scopes.length;
    if (length == capacity) {
      return false;
    }
    int larger = Math.clamp(2L * length, Math.min(FIRST_SIZE, capacity), capacity);
    scopes = Arrays.copyOf(scopes, larger);
    Arrays.fill(scopes, length, larger, UNUSED);
    highs = Arrays.copyOf(highs, larger);
    lows = Arrays.copyOf(lows, larger);
    counts = Arrays.copyOf(counts, larger);
    calmNanos = Arrays.copyOf(calmNanos, larger);
    places = Arrays.copyOf(places, larger);
    oldest = Arrays.copyOf(oldest, larger);
    newest = Arrays.copyOf(newest, larger);
    nexts = Arrays.copyOf(nexts, larger);
    chains = new int[larger];
    Arrays.fill(chains, NONE);
    // None is free now: each is in use.
    for (int entry = 0; entry < length; entry++) {
      int chain = chain(scopes[entry], highs[entry], lows[entry]);
      nexts[entry] = chains[chain];
      chains[chain] = entry;
    }
    return true;
  }

  /** Releases what can go of a few entries; where none can, the one that tells the least. */
  private void makeRoom() {
    int least = NONE;
    for (int i = 0; i < LOOK && free == NONE; i++) {
      int entry = atHand();
      if (canGo(entry)) {
        release(entry);
      } else if (counts[entry] == 0 && (least == NONE || calmNanos[entry] < calmNanos[least])) {
        least = entry;
      }
    }
    if (free == NONE && least != NONE) {
      turn.count(Counter.CLIENT_FORGOTTEN);
      release(least);
    }
  }

  private void sweep(int number) {
    for (int i = 0; i < number && size > 0; i++) {
      int entry = atHand();
      if (scopes[entry] != UNUSED && canGo(entry)) {
        release(entry);
      }
    }
  }

  private int atHand() {
    hand = hand + 1 < scopes.length ? hand + 1 : 0;
    return hand;
  }

  /** Releases every entry that says nothing any more. */
  void sweepAll() {
    sweep(scopes.length);
  }

  private boolean canGo(int entry) {
    return counts[entry] == 0 && calmNanos[entry] <= turn.nowNanos();
  }

  /** Releases an entry if it says nothing any more. */
  void releaseIfIdle(int entry) {
    if (canGo(entry)) {
      release(entry);
    }
  }

  private void release(int entry) {
    int chain = chain(scopes[entry], highs[entry], lows[entry]);
    int next = nexts[entry];
    if (chains[chain] == entry) {
      chains[chain] = next;
    } else {
      int before = chains[chain];
      while (nexts[before] != entry) {
        before = nexts[before];
      }
      nexts[before] = next;
    }
    scopes[entry] = UNUSED;
    nexts[entry] = free;
    free = entry;
    size--;
  }

  private int chain(int scope, long high, long low) {
    long value = hash.add(HostHash.start(), high >>> BYTE_BITS);
    value = hash.add(value, ((high & BYTE) << (Long.SIZE - LOW_BITS)) | (low >>> LOW_BITS));
    value = hash.add(value, ((long) scope << LOW_BITS) | (low & LOW));
    return (int) HostHash.finish(value, false) & (chains.length - 1);
  }

  long high(int entry) {
    return highs[entry];
  }

  long low(int entry) {
    return lows[entry];
  }

  /** How many of a client's connections are incomplete. */
  int count(int entry) {
    return counts[entry];
  }

  void count(int entry, int number) {
    counts[entry] = number;
  }

  int place(int entry) {
    return places[entry];
  }

  void place(int entry, int place) {
    places[entry] = place;
  }

  /** The oldest of a client's connections that were {@linkplain #link linked}, or null. */
  @Nullable Connection oldest(int entry) {
    return oldest[entry];
  }

  /**
   * Puts a connection behind the others of its client.
   *
   * @param inAll whether the entry is one over all listeners; the links are others then
   */
  void link(int entry, Connection connection, boolean inAll) {
    Connection before = newest[entry];
    older(connection, before, inAll);
    newer(connection, null, inAll);
    newest[entry] = connection;
    if (before == null) {
      oldest[entry] = connection;
    } else {
      newer(before, connection, inAll);
    }
  }

  /** Takes a connection out from among the others of its client, see {@link #link}. */
  void unlink(int entry, Connection connection, boolean inAll) {
    Connection before = inAll ? connection.olderOfClientInAll : connection.olderOfClient;
    Connection after = inAll ? connection.newerOfClientInAll : connection.newerOfClient;
    if (before == null) {
      oldest[entry] = after;
    } else {
      newer(before, after, inAll);
    }
    if (after == null) {
      newest[entry] = before;
    } else {
      older(after, before, inAll);
    }
    older(connection, null, inAll);
    newer(connection, null, inAll);
  }

  private static void older(Connection of, @Nullable Connection other, boolean inAll) {
    if (inAll) {
      of.olderOfClientInAll = other;
    } else {
      of.olderOfClient = other;
    }
  }

  private static void newer(Connection of, @Nullable Connection other, boolean inAll) {
    if (inAll) {
      of.newerOfClientInAll = other;
    } else {
      of.newerOfClient = other;
    }
  }

  /**
   * A client comes now, if it may: from a bucket that holds a token for each interval of a period,
   * and gets one back each interval, it takes one.
   *
   * @param entry or {@link #NONE}, for whom nothing is limited
   * @return whether there was one
   */
  boolean comes(int entry, long intervalNanos, long periodNanos) {
    if (entry == NONE) {
      return true;
    }
    long now = turn.nowNanos();
    long calm = Math.max(calmNanos[entry], now) + intervalNanos;
    if (calm > now + periodNanos) {
      return false;
    }
    calmNanos[entry] = calm;
    return true;
  }

  /** Shows the clients of a scope that have incomplete connections. */
  void forEachCounted(int scope, Clients.Visitor visitor) {
    for (int i = 0; i < fresh; i++) {
      if (scopes[i] == scope && counts[i] > 0) {
        visitor.visit("", highs[i], lows[i], counts[i]);
      }
    }
  }

  /** A client has come, and was turned away for another reason: that does not count. */
  void didNotCome(int entry, long intervalNanos) {
    if (entry != NONE) {
      calmNanos[entry] -= intervalNanos;
    }
  }
}
