package dev.peekpass.proxy.listen;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.Tests;
import dev.peekpass.proxy.config.ClientLimits;
import dev.peekpass.proxy.config.ClientPrefix;
import dev.peekpass.proxy.config.Rate;
import dev.peekpass.proxy.connection.Connection;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class ClientCountsTest {
  private static final ClientPrefix HOSTS = new ClientPrefix(32, 128);

  private final Turns turns = new Turns();
  private final Clients clients = new Clients(turns.turn);

  ClientCountsTest() throws SystemCallException {}

  private ClientCounts counts() {
    ClientCounts counts =
        new ClientCounts(
            clients, new ClientLimits(OptionalInt.empty(), Optional.empty(), HOSTS), "here");
    counts.open();
    return counts;
  }

  private static Connection from(long client) {
    Connection connection = Tests.Idle.connection();
    connection.peerLow = client;
    return connection;
  }

  @Test
  void aReloadOfOneListenerDoesNotMakeItsConnectionsYounger() {
    ClientCounts one = counts();
    ClientCounts other = counts();
    Connection first = from(7);
    Connection second = from(7);
    one.add(first);
    other.add(second);

    assertThat(
            one.change(
                new ClientLimits(
                    OptionalInt.empty(),
                    Optional.of(new Rate(5, Duration.ofSeconds(1))),
                    new ClientPrefix(24, 64))))
        .isTrue();
    one.countAnew(first);

    assertThat(clients.oldestOfHeaviest()).isSameAs(first);
    assertThat(one.clientsHere()).isOne();
  }

  /** Against a list of who came, in order. */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4})
  void theHeaviestAndItsOldestAreKnownAtAnyTime(long seed) {
    Random random = new Random(seed);
    ClientCounts counts = counts();
    List<Connection> all = new ArrayList<>();
    for (int step = 0; step < 20_000; step++) {
      boolean adds = all.isEmpty() || random.nextInt(100) < (step / 2000 % 2 == 0 ? 60 : 40);
      if (adds) {
        // One has far more than others.
        Connection one = from(random.nextInt(3) == 0 ? 7 : random.nextInt(200));
        all.add(one);
        counts.add(one);
      } else {
        counts.remove(all.remove(random.nextInt(all.size())));
      }
      Map<Long, Integer> numbers = new HashMap<>();
      all.forEach(one -> numbers.merge(one.peerLow, 1, Integer::sum));
      int most = numbers.values().stream().mapToInt(n -> n).max().orElse(0);
      assertThat(counts.most()).isEqualTo(most);
      assertThat(counts.clientsHere()).isEqualTo(numbers.size());
      Connection oldest = counts.oldestOfHeaviest();
      if (most < 2) {
        assertThat(oldest).isNull();
      } else {
        assertThat(oldest).isNotNull();
        long heaviest = oldest == null ? -1 : oldest.peerLow;
        assertThat(numbers).containsEntry(heaviest, most);
        assertThat(all.stream().filter(one -> one.peerLow == heaviest).findFirst())
            .containsSame(oldest);
      }
    }
    while (!all.isEmpty()) {
      counts.remove(all.removeLast());
    }
    assertThat(clients.tracked()).as("nothing is left").isZero();
  }

  @Test
  void whoComesAndIsAmongTheHeaviestGivesUpItsOwn() {
    ClientCounts counts = counts();
    Connection honest = from(1);
    Connection first = from(2);
    counts.add(honest);
    counts.add(first);
    assertThat(counts.oldestOfHeaviest(0, 3)).as("all are alike").isNull();
    assertThat(counts.oldestOfHeaviest(0, 2)).isSameAs(first);
    assertThat(counts.oldestOfHeaviest(0, 1)).isSameAs(honest);
    counts.add(from(2));
    assertThat(counts.oldestOfHeaviest(0, 1)).isSameAs(first);
    assertThat(counts.oldestOfHeaviest(0, 3)).isSameAs(first);
  }

  @Test
  void anotherPrefixOrRateBeginsAnewAndNothingElseDoes() {
    ClientCounts counts = counts();
    int scope = counts.scope();
    Optional<Rate> rate = Optional.of(new Rate(5, Duration.ofSeconds(1)));
    assertThat(counts.change(new ClientLimits(OptionalInt.of(5), Optional.empty(), HOSTS)))
        .isFalse();
    assertThat(counts.scope()).isEqualTo(scope);
    assertThat(counts.change(new ClientLimits(OptionalInt.of(5), rate, HOSTS))).isTrue();
    assertThat(counts.change(new ClientLimits(OptionalInt.of(6), rate, HOSTS))).isFalse();
    assertThat(counts.change(new ClientLimits(OptionalInt.of(6), rate, new ClientPrefix(24, 64))))
        .isTrue();
    assertThat(counts.scope()).isEqualTo(scope + 2);
  }

  /** Against a list of who came, in order: over several sockets, one of which closes. */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4})
  void theHeaviestOverAllSocketsAndItsOldestAreKnownAtAnyTime(long seed) {
    Random random = new Random(seed);
    clients.limitInAll(new ClientLimits(OptionalInt.empty(), Optional.empty(), HOSTS));
    List<ClientCounts> sockets = new ArrayList<>(List.of(counts()));
    Map<Connection, ClientCounts> all = new LinkedHashMap<>();
    for (int step = 0; step < 5000; step++) {
      if (step % 1000 == 500) {
        sockets.add(counts());
      }
      if (step == 4000) {
        sockets.removeFirst().close();
      }
      if (all.isEmpty() || random.nextInt(100) < (step / 1000 % 2 == 0 ? 60 : 40)) {
        Connection one = from(random.nextInt(3) == 0 ? 7 : random.nextInt(100));
        one.acceptedNanos = step;
        ClientCounts socket = sockets.get(random.nextInt(sockets.size()));
        socket.add(one);
        all.put(one, socket);
      } else {
        Connection one = List.copyOf(all.keySet()).get(random.nextInt(all.size()));
        Objects.requireNonNull(all.remove(one)).remove(one);
      }
      Map<Long, Integer> numbers = new HashMap<>();
      all.keySet().forEach(one -> numbers.merge(one.peerLow, 1, Integer::sum));
      int most = numbers.values().stream().mapToInt(n -> n).max().orElse(0);
      Connection oldest = clients.oldestOfHeaviest();
      if (most < 2) {
        assertThat(oldest).isNull();
      } else {
        assertThat(oldest).isNotNull();
        long heaviest = oldest == null ? -1 : oldest.peerLow;
        assertThat(numbers).containsEntry(heaviest, most);
        assertThat(all.keySet().stream().filter(one -> one.peerLow == heaviest).findFirst())
            .containsSame(oldest);
      }
    }
    all.forEach((one, socket) -> socket.remove(one));
    assertThat(clients.tracked()).as("nothing is left").isZero();
  }

  @Test
  void overAllListenersItIsCountedFromWhenThatIsLimitedOn() {
    ClientCounts here = counts();
    Connection one = from(1);
    Connection two = from(1);
    here.add(one);
    assertThat(clients.pendingInAll(0, 1)).isZero();
    ClientCounts there = counts();
    there.add(two);
    assertThat(clients.pendingInAll(0, 1)).as("with several sockets too").isEqualTo(2);
    clients.limitInAll(new ClientLimits(OptionalInt.of(9), Optional.empty(), HOSTS));
    assertThat(clients.pendingInAll(0, 1)).isEqualTo(2);
    clients.limitInAll(
        new ClientLimits(OptionalInt.of(9), Optional.empty(), new ClientPrefix(1, 1)));
    there.add(from(2));
    assertThat(clients.pendingInAll(0, 99)).as("all are one client").isEqualTo(3);
    here.remove(one);
    assertThat(clients.pendingInAll(0, 99)).isEqualTo(2);
    clients.limitInAll(ClientLimits.NONE);
    there.remove(two);
    assertThat(clients.oldestOfHeaviest()).isNull();
  }
}
