package dev.peekpass.proxy.route;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntUnaryOperator;

/**
 * All routes of a table in file order. There may be a million, so what each has stands in columns,
 * and what many share is kept once. Grows while its builder owns it, never changes afterwards.
 */
final class Routes {
  private final List<Destination> destinations = new ArrayList<>();
  private final Map<Destination, Integer> destinationIndexes = new HashMap<>();
  private final Map<Integer, int[]> furtherKeys = new HashMap<>();
  private int[] firstKeys = new int[16];
  private int[] lines = new int[16];
  private int[] destinationOf = new int[16];
  private int size;

  /** How many there are. */
  int size() {
    return size;
  }

  /**
   * Adds a route.
   *
   * @param keys its patterns, at least one
   * @param line its line in the file
   * @return its index
   */
  int add(int[] keys, Destination destination, int line) {
    if (size == lines.length) {
      resize(2 * size);
    }
    Integer known = destinationIndexes.putIfAbsent(destination, destinations.size());
    if (known == null) {
      destinations.add(destination);
    }
    firstKeys[size] = keys[0];
    if (keys.length > 1) {
      furtherKeys.put(size, keys);
    }
    lines[size] = line;
    destinationOf[size] = known == null ? destinations.size() - 1 : known;
    return size++;
  }

  private void resize(int length) {
    firstKeys = Arrays.copyOf(firstKeys, length);
    lines = Arrays.copyOf(lines, length);
    destinationOf = Arrays.copyOf(destinationOf, length);
  }

  /**
   * Gives back what is of use to a builder only.
   *
   * @param newKeys gives the keys by which the patterns are known from now on
   */
  void finish(IntUnaryOperator newKeys) {
    resize(size);
    Arrays.setAll(firstKeys, route -> newKeys.applyAsInt(firstKeys[route]));
    for (int[] keys : furtherKeys.values()) {
      Arrays.setAll(keys, i -> newKeys.applyAsInt(keys[i]));
    }
    destinationIndexes.clear();
  }

  /** A route's patterns, by the keys with which they were added. */
  int[] keys(int route) {
    int[] several = furtherKeys.get(route);
    return several == null ? new int[] {firstKeys[route]} : several.clone();
  }

  int line(int route) {
    return lines[route];
  }

  /** The index of a route's destination in {@link #destinations()}. */
  int destinationIndex(int route) {
    return destinationOf[route];
  }

  Destination destination(int route) {
    return destinations.get(destinationOf[route]);
  }

  /** What routes lead to, each once. */
  Destination[] destinations() {
    return destinations.toArray(Destination[]::new);
  }
}
