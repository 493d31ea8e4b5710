package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.Outcome;
import dev.peekpass.simulation.Call;
import dev.peekpass.simulation.Client;
import dev.peekpass.simulation.Faults;
import dev.peekpass.simulation.InjectedError;
import dev.peekpass.simulation.Manners;
import dev.peekpass.simulation.Receiver;
import dev.peekpass.simulation.SimulatedKernel;
import dev.peekpass.simulation.UnixPaths;
import dev.peekpass.simulation.World;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the simulation has found, each by the one fault that it takes. */
class FaultTest {
  private static final long MILLI = SimulatedProxy.MILLI;
  private static final long SECOND = SimulatedProxy.SECOND;

  /** More than go into a message, and than are accepted in one turn. */
  private static final int BURST = 200;

  private static final String BACKUP_YAML =
      """
      listeners: [ { bind: "127.0.0.1:1", backlog: 1024 } ]
      backends: { a: { handoff: "unix:/a1", backup: b }, b: { handoff: "unix:/b1" } }
      routes: [ { host: a.example, backend: a } ]
      fallback: a
      """;

  private SimulatedProxy proxy = proxy(SimulatedProxy.ONE_BACKEND);

  private static SimulatedProxy proxy(String yaml) {
    try {
      return new SimulatedProxy(yaml);
    } catch (SystemCallException e) {
      throw new AssertionError(e);
    }
  }

  @AfterEach
  void nothingIsLeftAndNoFaultIsLogged() {
    assertThat(proxy.openDescriptors()).isZero();
    List<String> errors = ErrorLog.take();
    assertThat(errors).allMatch(error -> error.contains("Injected"));
    assertThat(errors).hasSizeLessThanOrEqualTo(proxy.faults.thrown());
  }

  @Test
  void anInterruptedPeekEndsNothing() {
    proxy.receiver.planStream(0, 10, 10);
    proxy.client(MILLI, 10);
    for (int i = 0; i < 3; i++) {
      proxy.faults.order(Call.RECV, Errno.EINTR);
      proxy.faults.order(Call.RECV, 0);
    }
    proxy.runUntil(SECOND);

    assertThat(proxy.count(Outcome.PASSED)).isOne();
  }

  @Test
  void anInterruptedAcceptLosesNobodyWhenTheProxyStops() {
    proxy.receiver.planStream(0, 10, 10);
    proxy.faults.order(Call.ACCEPT, Errno.ENOMEM); // so that it rests, and they queue
    for (int i = 0; i < 3; i++) {
      proxy.client(MILLI, 1 << 16);
      proxy.faults.order(Call.ACCEPT, Errno.EINTR);
    }
    proxy.runUntil(10 * MILLI);

    assertThat(proxy.count(Outcome.PASSED)).isEqualTo(3);
  }

  @Test
  void whoFillsTheKernelsWatchesGivesUpItsOwn() {
    proxy.slowClient(MILLI, 6);
    proxy.slowClient(3 * MILLI, 6);
    proxy.slowClient(5 * MILLI, 7);
    proxy.slowClient(7 * MILLI, 8);
    for (int i = 0; i < 3; i++) {
      proxy.faults.order(Call.EPOLL_ADD, 0);
    }
    proxy.faults.order(Call.EPOLL_ADD, Errno.ENOSPC);
    proxy.runUntil(20 * MILLI);

    assertThat(proxy.count(Counter.WATCH_REFUSED)).isOne();
    assertThat(proxy.count(Outcome.SHED)).as("one of those of 192.0.2.6").isOne();
    assertThat(proxy.count(Outcome.TIMED_OUT)).isEqualTo(3);
  }

  @Test
  void atTheDescriptorLimitWhoHasItsAnswerGoesFirst() {
    proxy = proxy(SimulatedProxy.ONE_BACKEND + "fallback: { reject: http-status }\n");
    proxy.slowClient(MILLI, 7);
    proxy.refusedClient(3 * MILLI, 6);
    proxy.refusedClient(5 * MILLI, 6);
    proxy.slowClient(7 * MILLI, 8);
    orderShortage(3, 2);
    proxy.runUntil(20 * MILLI);

    assertThat(proxy.count(Counter.LINGER_LIMIT_REACHED)).isEqualTo(2);
    assertThat(proxy.count(Outcome.SHED)).isZero();
    assertThat(proxy.count(Outcome.TIMED_OUT)).isEqualTo(2);
  }

  @Test
  void atTheDescriptorLimitTheOldestOfAllListenersGoes() {
    proxy =
        proxy(
            SimulatedProxy.ONE_BACKEND.replace(
                " ]\nbackends",
                ", { bind: \"127.0.0.1:2\", peek-timeout: 1s, defer-accept: false } ]\nbackends"));
    proxy.slowClientOf(1, MILLI, 6);
    proxy.slowClientOf(1, 3 * MILLI, 7);
    proxy.slowClientOf(0, 5 * MILLI, 8);
    orderShortage(2, 1);
    proxy.runUntil(20 * MILLI);

    assertThat(proxy.count(Outcome.SHED)).isOne();
    assertThat(proxy.count(Outcome.TIMED_OUT)).as("the later ones").isEqualTo(2);
  }

  /** Orders that descriptors are short after so many clients, so many times. */
  private void orderShortage(int after, int times) {
    for (int i = 0; i < after; i++) {
      proxy.faults.order(Call.ACCEPT, 0);
    }
    for (int i = 0; i < times; i++) {
      proxy.faults.order(Call.ACCEPT, Errno.EMFILE);
    }
  }

  @Test
  void whatLiesInHundredsOfPiecesIsNotLookedThroughAgainAndAgain() {
    proxy.receiver.planStream(0, 10, 10);
    proxy.clientByByte(MILLI, true);
    proxy.clientByByte(MILLI, false);
    proxy.runUntil(4 * SECOND);

    assertThat(proxy.count(Counter.IN_PIECES)).isOne();
    assertThat(proxy.count(Outcome.REFUSED_TOO_LARGE)).isOne();
    assertThat(proxy.count(Outcome.PASSED)).as("where the kernel joined them").isOne();
  }

  /** Of whoever is not trusted it waits apart, where it holds up nobody, and nobody it. */
  @Test
  void whatAReceiverHadIsNotHeldToTheOrderOfThoseThatNoneHad() {
    proxy = proxy(SimulatedProxy.ONE_BACKEND.replace("persistent", "auto"));
    proxy.receiver.user(1000);
    proxy.receiver.planStream(0, 10, 10);
    proxy.receiver.planFreeze(0, 6 * MILLI);
    proxy.client(MILLI, 1 << 16);
    proxy.receiver.planDeath(5 * MILLI, true);
    Manners manners = new Manners();
    manners.helloNanos = 100 * MILLI;
    proxy.receiver.planAcknowledged(6 * MILLI, 10, 16, manners);
    proxy.client(10 * MILLI, 1 << 16);
    proxy.runUntil(2 * SECOND);

    assertThat(proxy.count(Counter.TAKEN_BACK)).isOne();
    assertThat(proxy.count(Outcome.PASSED)).isEqualTo(2);
  }

  @Test
  void aHeadThatIsCompleteInTimeIsNotLateSinceItsLookWasPutOff() {
    proxy.receiver.planStream(0, 10, 10);
    for (int i = 1; i <= 4; i++) {
      proxy.dribblingClient(i * MILLI, SECOND - i * MILLI);
    }
    proxy.runUntil(3 * SECOND);

    assertThat(proxy.count(Outcome.PASSED)).isEqualTo(4);
  }

  @Test
  void anInterruptedHandOffGivesUpNoChannel() {
    proxy.receiver.planStream(0, 10, 10);
    proxy.client(MILLI, 1 << 16);
    proxy.client(10 * MILLI, 1 << 16);
    proxy.faults.order(Call.CONNECT, Errno.EINTR);
    proxy.faults.order(Call.SENDMSG, 0);
    proxy.faults.order(Call.SENDMSG, Errno.EINTR);
    proxy.runUntil(11 * MILLI);

    assertThat(proxy.count(Outcome.PASSED)).isEqualTo(2);
    assertThat(proxy.count(Counter.CHANNEL_OPENED)).isOne();
    assertThat(proxy.count(Counter.QUEUED)).isZero();
  }

  @Test
  void aListenerThatRestsCanStopWhileDescriptorsAreStillShort() {
    proxy.client(MILLI, 1 << 16);
    for (int i = 0; i < 1000; i++) {
      proxy.faults.order(Call.ACCEPT, Errno.EMFILE);
    }
    proxy.runUntil(10 * MILLI);

    // Once before it rests, and each 20 ms of the second in which it tries to take what is queued.
    assertThat(proxy.count(Counter.ACCEPT_LIMIT_REACHED)).isBetween(2L, 53L);
  }

  @Test
  void aListenerThatEpollHasNoRoomForTriesAgain() {
    proxy.receiver.planStream(0, 10, 10);
    proxy.client(MILLI, 1 << 16);
    proxy.client(2 * SECOND, 1 << 16);
    proxy.faults.order(Call.ACCEPT, Errno.ENOMEM);
    proxy.faults.order(Call.EPOLL_ADD, 0); // the listener, when the loop begins
    proxy.faults.order(Call.EPOLL_ADD, Errno.ENOMEM);
    proxy.faults.order(Call.EPOLL_ADD, Errno.ENOSPC);
    proxy.runUntil(3 * SECOND);

    assertThat(proxy.count(Outcome.PASSED)).isEqualTo(2);
  }

  /** A receiver that acknowledges has taken a first connection. */
  private void beginWithOnePassed() {
    proxy =
        proxy(
            SimulatedProxy.ONE_BACKEND.replace(
                "persistent, hand-off-timeout: 1s",
                "acknowledged, hand-off-timeout: 10s, ack-timeout: 100ms"));
    proxy.receiver.planAcknowledged(0, 10, 100, new Manners());
    proxy.client(10 * MILLI, 1 << 16);
  }

  @Test
  void aReceiverThatHangsLosesItsChannelToAnotherThatHasItsPath() {
    beginWithOnePassed();
    proxy.receiver.planFreeze(20 * MILLI, 60 * SECOND);
    proxy.client(30 * MILLI, 1 << 16);
    proxy.client(40 * MILLI, 1 << 16);
    proxy.another("/a1").planAcknowledged(SECOND / 2, 10, 100, new Manners());
    proxy.client(3 * SECOND, 1 << 16);
    proxy.runUntil(5 * SECOND);

    assertThat(proxy.count(Outcome.PASSED)).isEqualTo(4);
    assertThat(proxy.count(Counter.TAKEN_BACK)).isEqualTo(2);
    assertThat(proxy.count(Counter.CHANNEL_LOST)).isOne();
  }

  @Test
  void anotherThatHangsToo() {
    beginWithOnePassed();
    proxy.receiver.planFreeze(20 * MILLI, 60 * SECOND);
    proxy.client(30 * MILLI, 1 << 16);
    Receiver second = proxy.another("/a1");
    second.planAcknowledged(SECOND / 2, 10, 100, new Manners());
    second.planFreeze(SECOND / 2, 60 * SECOND);
    proxy.another("/a1").planAcknowledged(4 * SECOND, 10, 100, new Manners());
    proxy.client(5 * SECOND, 1 << 16);
    proxy.runUntil(8 * SECOND);

    assertThat(proxy.count(Outcome.PASSED)).isEqualTo(3);
  }

  @Test
  void aFaultWhileTheChannelGoesOverToAnotherLosesNothing() {
    beginWithOnePassed();
    proxy.receiver.planFreeze(20 * MILLI, 60 * SECOND);
    proxy.client(30 * MILLI, 1 << 16);
    proxy.another("/a1").planAcknowledged(SECOND / 2, 10, 100, new Manners());
    // The hung receiver's channel is the first descriptor of its kind that leaves epoll.
    proxy.world.after(
        SECOND / 2 + MILLI,
        "test",
        "lets the next removal throw",
        () -> proxy.faults.orderThrow(Call.EPOLL_DEL, true));
    proxy.client(3 * SECOND, 1 << 16);
    proxy.runUntil(5 * SECOND);

    assertThat(proxy.count(Outcome.PASSED)).isEqualTo(3);
  }

  @Test
  void aListenerThatCannotBeWatchedAgainIsTriedAgain() {
    proxy.receiver.planStream(0, 10, 10);
    proxy.client(MILLI, 1 << 16);
    proxy.faults.order(Call.ACCEPT, Errno.ENOMEM);
    proxy.faults.orderNoThrow(Call.EPOLL_ADD);
    proxy.faults.orderNoThrow(Call.EPOLL_ADD);
    proxy.faults.orderThrow(Call.EPOLL_ADD, false);
    proxy.runUntil(SECOND);

    assertThat(proxy.count(Counter.FAULTS)).isPositive();
    // Not only when it stops, which takes what is queued.
    assertThat(proxy.count(Outcome.PASSED)).isOne();
  }

  @Test
  void aReceiverThatIsOnlySlowKeepsItsChannel() {
    beginWithOnePassed();
    proxy.receiver.planFreeze(20 * MILLI, 4 * SECOND);
    proxy.client(30 * MILLI, 1 << 16);
    proxy.runUntil(6 * SECOND);

    assertThat(proxy.count(Outcome.PASSED)).isEqualTo(2);
    assertThat(proxy.count(Counter.CHANNEL_LOST)).isZero();
  }

  @ParameterizedTest
  @ValueSource(ints = {Errno.EINVAL, Errno.EPERM})
  void anAcceptThatFailsForAReasonOfItsOwnRests(int errno) {
    proxy.receiver.planStream(0, 10, 10);
    proxy.client(MILLI, 1 << 16);
    for (int i = 0; i < 5; i++) {
      proxy.faults.order(Call.ACCEPT, errno);
    }
    // 20, 40, 80, 160 and 320 ms, after which it is let in.
    proxy.runUntil(SECOND);

    assertThat(proxy.count(Counter.ACCEPT_FAILED)).isEqualTo(5);
    assertThat(proxy.count(Outcome.PASSED)).isOne();
  }

  @Test
  void aFullChannelThatCannotBeWatchedForRoomIsTriedAgainByTime() {
    proxy.receiver.planStream(0, 10, 1);
    proxy.receiver.planFreeze(0, 100 * MILLI);
    for (int i = 0; i < 3; i++) {
      proxy.client((1 + i) * MILLI, 1 << 16);
    }
    proxy.faults.order(Call.EPOLL_MOD, Errno.ENOMEM);
    proxy.faults.order(Call.EPOLL_MOD, Errno.ENOMEM);
    proxy.runUntil(SECOND);

    assertThat(proxy.count(Outcome.PASSED)).isEqualTo(3);
  }

  @Test
  void connectionsThatHoldEveryDescriptorArePassedOnceTheirBackendIsThere() {
    proxy.conditions.maxDescriptors = 10;
    proxy.receiver.planStream(300 * MILLI, 10, 100);
    for (int i = 0; i < 20; i++) {
      proxy.client((1 + 2 * i) * MILLI, 1 << 16);
    }
    proxy.runUntil(2 * SECOND);

    assertThat(proxy.count(Counter.ACCEPT_LIMIT_REACHED)).isPositive();
    assertThat(proxy.count(Outcome.PASSED)).isEqualTo(20);
  }

  @Test
  void aBurstForABackendThatHasGoneAndADrainedBackupIsAnswered() {
    proxy = proxy(BACKUP_YAML);
    proxy.receiver.planAcknowledged(0, 10, 278, new Manners());
    proxy.client(MILLI, 1 << 16);
    proxy.receiver.planDeath(100 * MILLI, false);
    proxy.drain(200 * MILLI, "b");
    List<Client> burst = proxy.burst(300 * MILLI, BURST);
    proxy.runUntil(4 * SECOND);

    assertThat(proxy.count(Outcome.PASSED)).isOne();
    assertThat(proxy.count(Outcome.REFUSED_UNAVAILABLE)).isEqualTo(BURST);
    assertThat(burst).allMatch(Client::isAnswered);
    assertThat(proxy.nowNanos()).as("when it has ended").isLessThan(4 * SECOND + 10 * MILLI);
  }

  @ParameterizedTest
  @ValueSource(strings = {"a", "b"})
  void theFallbackGetsNothingThatItHadAlready(String fallback) {
    proxy = proxy(BACKUP_YAML.replace("fallback: a", "fallback: " + fallback));
    List<Client> burst = proxy.burst(MILLI, BURST);
    proxy.runUntil(30 * SECOND);

    assertThat(proxy.count(Outcome.REFUSED_UNAVAILABLE)).isEqualTo(BURST);
    assertThat(proxy.count(Counter.HAND_OFF_TIMED_OUT)).isEqualTo(BURST);
    assertThat(burst).allMatch(Client::isAnswered);
  }

  @Test
  void anExceptionInAPeekFailsThatConnectionAlone() {
    proxy.receiver.planStream(0, 10, 10);
    for (int i = 0; i < 3; i++) {
      proxy.client(MILLI, 1 << 16);
    }
    proxy.faults.orderNoThrow(Call.RECV);
    proxy.faults.orderThrow(Call.RECV, false);
    proxy.runUntil(SECOND);

    assertThat(proxy.count(Outcome.FAILED)).isOne();
    assertThat(proxy.count(Outcome.PASSED)).isEqualTo(2);
  }

  @Test
  void anExceptionInARefusalEndsItOnce() {
    proxy.burst(MILLI, 1);
    proxy.faults.orderNoThrow(Call.RECV);
    proxy.faults.orderThrow(Call.RECV, false); // what was sent is read before the answer
    proxy.runUntil(2 * SECOND);

    assertThat(proxy.count(Outcome.REFUSED_UNAVAILABLE)).isOne();
  }

  @Test
  void aConnectionThatIsLateIsEndedThoughItCannotBeUnwatched() {
    proxy.slowClient(MILLI);
    proxy.slowClient(2 * MILLI);
    for (boolean after : new boolean[] {false, true}) {
      proxy.faults.orderThrow(Call.EPOLL_DEL, after);
    }
    proxy.runUntil(10 * SECOND);

    assertThat(proxy.count(Outcome.TIMED_OUT) + proxy.count(Outcome.FAILED)).isEqualTo(2);
  }

  @Test
  void anExceptionAfterAMessageWasSentFailsWhatIsInItAlone() {
    proxy.receiver.planStream(0, 10, 10);
    for (int i = 0; i < 3; i++) {
      proxy.client((1 + i) * MILLI, 1 << 16);
    }
    proxy.faults.orderThrow(Call.SENDMSG, true);
    proxy.runUntil(SECOND);

    assertThat(proxy.count(Outcome.PASSED)).isGreaterThanOrEqualTo(2);
    assertThat(proxy.count(Outcome.PASSED) + proxy.count(Outcome.FAILED)).isEqualTo(3);
  }

  @Test
  void anExceptionOutOfAWaitEndsNothing() {
    proxy.receiver.planStream(0, 10, 10);
    proxy.client(MILLI, 1 << 16);
    proxy.faults.orderThrow(Call.EPOLL_WAIT, false);
    proxy.runUntil(SECOND);

    assertThat(proxy.count(Outcome.PASSED)).isOne();
  }

  @ParameterizedTest
  @EnumSource(
      mode = EnumSource.Mode.EXCLUDE,
      names = {
        // Not called here, or never throwing.
        "BIND",
        "SHUTDOWN",
        "TRUNCATE",
        "MMAP",
        "MEMFD",
        "FCNTL",
        "MUNMAP",
        "COUNTS",
        "EPOLL_CREATE",
        "EVENTFD"
      })
  void anErrorEndsTheLoopAndFreesEverything(Call call) {
    proxy.receiver.planStream(100 * MILLI, 10, 1);
    proxy.receiver.planFreeze(100 * MILLI, SECOND);
    for (int i = 0; i < 20; i++) {
      proxy.client((1 + 20 * i) * MILLI, i % 2 == 0 ? 1 << 16 : 7);
    }
    boolean after = !call.mayThrow(false);
    proxy.faults.orderError(call, after);

    assertThatThrownBy(() -> proxy.runUntil(5 * SECOND)).isInstanceOf(InjectedError.class);
  }

  @Test
  void aLoopThatCannotBeWokenIsNotMade() {
    World world = new World(1, false);
    Faults faults = new Faults(world.chance());
    faults.order(Call.EPOLL_ADD, Errno.ENOSPC);
    SimulatedKernel kernel =
        new SimulatedKernel(world, new UnixPaths(), faults, new SimulatedKernel.Conditions());

    assertThatThrownBy(() -> new Loop(kernel, Tests.CLOSERS))
        .isInstanceOf(SystemCallException.class)
        .hasMessageContaining("epoll_ctl ADD: ENOSPC");
    assertThat(kernel.openDescriptors()).isZero();
    proxy.runUntil(MILLI);
  }
}
