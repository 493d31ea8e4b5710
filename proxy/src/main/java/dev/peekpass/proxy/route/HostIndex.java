package dev.peekpass.proxy.route;

import dev.peekpass.wire.HostName;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * The names and wildcards of a finished table, each with its routes, for look-ups among a million
 * of them. Never changes.
 *
 * <p>Time goes to waiting for memory, so all that a look-up needs lies together: names of one
 * bucket of the hash are neighbours in one array, each with its routes behind it. A look-up reads
 * where the bucket begins, from an array of four bytes a name, and then one or two lines of memory
 * that are neighbours too. There are as many buckets as names.
 *
 * <pre>
 *   record:   part of the hash 2 | wildcard 1 bit, number of routes 15 | length 1 | name | routes
 *   route:    destination 4 | index 4, least significant byte first
 * </pre>
 *
 * <p>How long a look-up takes is bounded by the fullest bucket, which the table's names and its
 * secret settle; what clients ask for cannot fill it.
 */
final class HostIndex {
  /** No record, no route. */
  static final int NONE = -1;

  private static final VarHandle SHORT =
      MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle INT =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
  private static final int COUNT = 2;
  private static final int LENGTH = 4;
  private static final int NAME = 5;
  private static final int ROUTE_BYTES = 8;
  private static final int WILDCARD = 0x8000;

  // Bucket b reaches from begins[b] to begins[b + 1].
  private final int[] begins;
  private final byte[] bytes;
  private final int count;

  /**
   * Takes the names over.
   *
   * @param names whose values are lost: each is the place of its record here afterwards
   * @param routesOf the routes of a record of {@code names}, in file order
   * @param extra routes that no name leads to; they stand at the end
   */
  HostIndex(HostKeys names, RoutesOf routesOf, Routes routes, int[] extra) {
    count = names.count();
    int buckets = count + 1;
    begins = new int[buckets + 1];
    long size = (long) ROUTE_BYTES * extra.length;
    for (int key = names.first(); key != 0; key = names.next(key)) {
      int bytesHere = NAME + names.length(key) + ROUTE_BYTES * routesOf.routes(key).length;
      begins[bucket(names.hashed(key))] += bytesHere;
      size += bytesHere;
    }
    bytes = new byte[Math.toIntExact(size)];
    int end = 0;
    for (int bucket = 0; bucket <= buckets; bucket++) {
      end += begins[bucket];
      begins[bucket] = end;
    }
    // From the end of each bucket to its begin, which is then what is left in the array.
    for (int key = names.first(); key != 0; key = names.next(key)) {
      int[] own = routesOf.routes(key);
      long hashed = names.hashed(key);
      int length = names.length(key);
      int record = begins[bucket(hashed)] -= NAME + length + ROUTE_BYTES * own.length;
      SHORT.set(bytes, record, (short) hashed);
      SHORT.set(
          bytes, record + COUNT, (short) (own.length | (names.isWildcard(key) ? WILDCARD : 0)));
      bytes[record + LENGTH] = (byte) length;
      names.copyName(key, bytes, record + NAME);
      put(own, routes, record + NAME + length);
      names.setValue(key, record, false);
    }
    put(extra, routes, extraPlace(0, extra.length));
  }

  /** Says which routes a name has. */
  interface RoutesOf {
    /** The routes of a record, in file order. */
    int[] routes(int key);
  }

  private void put(int[] own, Routes routes, int from) {
    for (int i = 0; i < own.length; i++) {
      INT.set(bytes, from + ROUTE_BYTES * i, routes.destinationIndex(own[i]));
      INT.set(bytes, from + ROUTE_BYTES * i + Integer.BYTES, own[i]);
    }
  }

  /** Where a route stands that no name leads to. */
  int extraPlace(int index, int extraCount) {
    return bytes.length - ROUTE_BYTES * (extraCount - index);
  }

  private int bucket(long hashed) {
    return (int) (((hashed >>> 32) * (begins.length - 1)) >>> 32);
  }

  /** How many names and wildcards there are. */
  int count() {
    return count;
  }

  /**
   * Finds a name.
   *
   * @param hashed {@link HostHash#finish} of it
   * @param from where in {@code host} it begins; it ends where the host ends
   * @return its record, or {@link #NONE}
   */
  int find(long hashed, HostName host, int from, boolean wildcard) {
    int bucket = bucket(hashed);
    int begin = begins[bucket];
    int end = begins[bucket + 1];
    // Reads the bucket's last byte, which is never negative: it may be in another line of memory
    // than the first, and is waited for at the same time now and not afterwards.
    if (begin == end || bytes[end - 1] < 0) {
      return NONE;
    }
    short part = (short) hashed;
    for (int record = begin; record < end; record = firstRoute(record) + routesBytes(record)) {
      if ((short) SHORT.get(bytes, record) == part
          && isWildcard(record) == wildcard
          && host.endEquals(from, bytes, record + NAME, length(record))) {
        return record;
      }
    }
    return NONE;
  }

  private int length(int record) {
    return bytes[record + LENGTH] & 0xff;
  }

  private boolean isWildcard(int record) {
    return ((short) SHORT.get(bytes, record + COUNT) & WILDCARD) != 0;
  }

  /** Where a record's first route stands. */
  int firstRoute(int record) {
    return record + NAME + length(record);
  }

  /** Where the next route of the same name stands, if there is one. */
  static int nextRoute(int place) {
    return place + ROUTE_BYTES;
  }

  /** How many bytes the routes of a record have. */
  int routesBytes(int record) {
    return ROUTE_BYTES * ((short) SHORT.get(bytes, record + COUNT) & ~WILDCARD & 0xffff);
  }

  /** Which of {@link Routes#destinations()} a route leads to. */
  int destination(int place) {
    return (int) INT.get(bytes, place);
  }

  /** A route's index. */
  int route(int place) {
    return (int) INT.get(bytes, place + Integer.BYTES);
  }

  /** Spells a record out. */
  HostPattern pattern(int record) {
    String name = new String(bytes, record + NAME, length(record), StandardCharsets.US_ASCII);
    return HostKeys.pattern(name, isWildcard(record));
  }
}
