package dev.peekpass.proxy.listen;

import dev.peekpass.proxy.connection.Connection;
import java.util.Arrays;

/**
 * Entries of the {@link ClientTable} by their number of connections, so that the client that has
 * most is known at any time.
 *
 * <p>They stand in {@link #order} by that number, falling; {@link #atLeast} says where those with
 * as many begin. A number changes by one, so that to keep it takes one swap.
 */
final class ClientOrder {
  private static final int FEW = 16;

  private final ClientTable table;
  private final boolean inAll;

  /** Entries by their count, the largest first. */
  private int[] order = new int[FEW];

  /** How many clients have at least so many; of 0 nothing is said. */
  private int[] atLeast = new int[FEW];

  /**
   * Of nobody.
   *
   * @param inAll whether over all listeners
   */
  ClientOrder(ClientTable table, boolean inAll) {
    this.table = table;
    this.inAll = inAll;
  }

  /** A connection of a client is counted from now on. */
  void add(int entry, Connection connection) {
    table.link(entry, connection, inAll);
    oneMore(entry);
  }

  /** A connection of a client is counted no more; who has none is forgotten. */
  void remove(int entry, Connection connection) {
    table.unlink(entry, connection, inAll);
    oneLess(entry);
    table.releaseIfIdle(entry);
  }

  /** A client has one more connection. */
  private void oneMore(int entry) {
    int count = table.count(entry);
    if (count + 1 == atLeast.length) {
      atLeast = Arrays.copyOf(atLeast, 2 * atLeast.length);
    }
    int to = atLeast[count + 1];
    if (count == 0) {
      if (to == order.length) {
        order = Arrays.copyOf(order, 2 * order.length);
      }
      put(to, entry);
    } else {
      swap(table.place(entry), to);
    }
    atLeast[count + 1]++;
    table.count(entry, count + 1);
  }

  /** A client has one connection less. */
  private void oneLess(int entry) {
    int count = table.count(entry);
    atLeast[count]--;
    swap(table.place(entry), atLeast[count]);
    table.count(entry, count - 1);
  }

  private void swap(int one, int other) {
    int entry = order[one];
    put(one, order[other]);
    put(other, entry);
  }

  private void put(int place, int entry) {
    order[place] = entry;
    table.place(entry, place);
  }

  /** How many clients have connections. */
  int size() {
    return atLeast[1];
  }

  /** One of them, from the heaviest on. */
  int get(int place) {
    return order[place];
  }

  /** How many the client has that has most. */
  int most() {
    return size() == 0 ? 0 : table.count(order[0]);
  }
}
