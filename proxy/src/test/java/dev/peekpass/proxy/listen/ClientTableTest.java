package dev.peekpass.proxy.listen;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.status.Counter;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class ClientTableTest {
  private static final long SECOND = 1_000_000_000L;

  private final Turns turns = new Turns();

  ClientTableTest() throws SystemCallException {}

  private ClientTable table(int capacity) {
    return new ClientTable(turns.turn, capacity);
  }

  @Test
  void aClientIsOneByScopeAndBothHalvesOfItsAddress() {
    ClientTable table = table(1 << 10);
    Set<Integer> entries = new HashSet<>();
    for (int scope = 1; scope < 4; scope++) {
      for (long high = 0; high < 4; high++) {
        for (long low = -4; low < 4; low++) {
          int entry = table.findOrAdd(scope, high << 62, low);
          assertThat(table.find(scope, high << 62, low)).isEqualTo(entry);
          table.count(entry, 1); // so that it stays
          entries.add(entry);
        }
      }
    }
    assertThat(entries).hasSize(3 * 4 * 8);
    assertThat(table.find(4, 0, 0)).isEqualTo(ClientTable.NONE);
  }

  /** Against a map, with entries that count, and are released when they do not. */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5})
  void isWhatAMapWouldBe(long seed) {
    Random random = new Random(seed);
    ClientTable table = table(1 << 10);
    Map<Long, Integer> counts = new HashMap<>();
    Map<Long, Integer> entries = new HashMap<>();
    for (int step = 0; step < 100_000; step++) {
      long client = random.nextInt(seed % 2 == 0 ? 50 : 900);
      if (random.nextBoolean()) {
        int entry = table.findOrAdd(1, client, ~client);
        assertThat(entries.getOrDefault(client, entry)).as("it stays the same").isEqualTo(entry);
        entries.put(client, entry);
        table.count(entry, table.count(entry) + 1);
        counts.merge(client, 1, Integer::sum);
      } else if (counts.containsKey(client)) {
        int entry = table.find(1, client, ~client);
        table.count(entry, table.count(entry) - 1);
        table.releaseIfIdle(entry);
        counts.computeIfPresent(client, (same, count) -> count == 1 ? null : count - 1);
        if (!counts.containsKey(client)) {
          entries.remove(client);
        }
      }
      assertThat(table.size()).isEqualTo(counts.size());
    }
    counts.forEach((client, count) ->
        assertThat(table.count(table.find(1, client, ~client))).isEqualTo(count));
  }

  @Test
  void aRateIsABucketThatFillsAgain() {
    ClientTable table = table(16);
    long interval = SECOND / 4;
    int entry = table.findOrAdd(1, 0, 1);
    for (int i = 0; i < 4; i++) {
      assertThat(table.comes(entry, interval, SECOND)).as("%d at once", i + 1).isTrue();
    }
    assertThat(table.comes(entry, interval, SECOND)).isFalse();
    turns.later(interval - 1);
    assertThat(table.comes(entry, interval, SECOND)).isFalse();
    turns.later(1);
    assertThat(table.comes(entry, interval, SECOND)).isTrue();
    assertThat(table.comes(entry, interval, SECOND)).isFalse();
    table.didNotCome(entry, interval);
    assertThat(table.comes(entry, interval, SECOND)).isTrue();
    turns.later(100 * SECOND);
    for (int i = 0; i < 4; i++) {
      assertThat(table.comes(entry, interval, SECOND)).as("no more than that").isTrue();
    }
    assertThat(table.comes(entry, interval, SECOND)).isFalse();
  }

  @Test
  void whoHasBeenQuietForLongIsForgottenAndNobodyElse() {
    ClientTable table = table(64);
    int pending = table.findOrAdd(1, 0, 1000);
    table.count(pending, 1);
    for (int i = 0; i < 40; i++) {
      table.comes(table.findOrAdd(1, 0, i), SECOND / 10, SECOND);
    }
    table.sweepAll();
    assertThat(table.size()).isEqualTo(41);
    turns.later(SECOND / 10);
    table.sweepAll();
    assertThat(table.size()).isEqualTo(1);
    assertThat(table.find(1, 0, 1000)).isEqualTo(pending);
    assertThat(turns.turn.counters().get(Counter.CLIENT_FORGOTTEN)).isZero();
  }

  @Test
  void aFullTableForgetsARateBeforeItLetsAClientInUncounted() {
    ClientTable table = table(16);
    for (int i = 0; i < 15; i++) {
      table.count(table.findOrAdd(1, 0, i), 1);
    }
    table.comes(table.findOrAdd(1, 0, 15), SECOND, SECOND);
    int anew = table.findOrAdd(1, 0, 16);
    assertThat(anew).isNotEqualTo(ClientTable.NONE);
    table.count(anew, 1);
    assertThat(table.find(1, 0, 15)).isEqualTo(ClientTable.NONE);
    assertThat(turns.turn.counters().get(Counter.CLIENT_FORGOTTEN)).isOne();

    assertThat(table.findOrAdd(1, 0, 17)).isEqualTo(ClientTable.NONE);
    assertThat(turns.turn.counters().get(Counter.CLIENT_NOT_TRACKED)).isOne();
    assertThat(table.comes(ClientTable.NONE, SECOND, SECOND)).as("it is let in").isTrue();
    for (int i = 0; i < 15; i++) {
      assertThat(table.count(table.find(1, 0, i))).as("those that count stay").isOne();
    }
  }

  @Test
  void atItsCapacityItTakesAMillionClientsThatComeOnce() {
    ClientTable table = table(ClientTable.CAPACITY);
    for (int i = 0; i < 1_000_000; i++) {
      assertThat(table.comes(table.findOrAdd(1, i, 0), SECOND, 60 * SECOND)).isTrue();
    }
    assertThat(table.size()).isEqualTo(ClientTable.CAPACITY);
    turns.later(SECOND);
    for (int i = 0; i < ClientTable.CAPACITY; i++) {
      table.findOrAdd(2, i, 0);
    }
    assertThat(table.size()).isLessThanOrEqualTo(ClientTable.CAPACITY);
    assertThat(turns.turn.counters().get(Counter.CLIENT_NOT_TRACKED)).isZero();
  }
}
