package dev.peekpass.proxy.backend;

import java.util.Arrays;

/** Sockets of which everything is said by a test. */
final class TestSockets implements Rotation.Sockets {
  boolean[] mayTake;
  long[] busy;
  int[] share;

  /** How often one was asked what it has to do. */
  int asked;

  TestSockets(int count) {
    mayTake = new boolean[count];
    Arrays.fill(mayTake, true);
    busy = new long[count];
    share = new int[count];
    Arrays.fill(share, Rotation.WHOLE);
  }

  @Override
  public boolean mayTake(int socket) {
    return mayTake[socket];
  }

  @Override
  public long busy(int socket) {
    asked++;
    return busy[socket];
  }

  @Override
  public int share(int socket) {
    return share[socket];
  }
}
