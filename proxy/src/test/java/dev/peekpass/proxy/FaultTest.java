package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.Outcome;
import dev.peekpass.simulation.Call;
import dev.peekpass.simulation.Faults;
import dev.peekpass.simulation.SimulatedKernel;
import dev.peekpass.simulation.UnixPaths;
import dev.peekpass.simulation.World;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What the simulation has found, each by the one fault that it takes. */
class FaultTest {
  private static final long MILLI = SimulatedProxy.MILLI;
  private static final long SECOND = SimulatedProxy.SECOND;

  private final SimulatedProxy proxy = proxy();

  private static SimulatedProxy proxy() {
    try {
      return new SimulatedProxy();
    } catch (SystemCallException e) {
      throw new AssertionError(e);
    }
  }

  @AfterEach
  void nothingIsLeftAndNoFaultIsLogged() {
    assertThat(proxy.openDescriptors()).isZero();
    assertThat(ErrorLog.take()).isEmpty();
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
  void aLoopThatCannotBeWokenIsNotMade() {
    World world = new World(1, false);
    Faults faults = new Faults(world.chance());
    faults.order(Call.EPOLL_ADD, Errno.ENOSPC);
    SimulatedKernel kernel =
        new SimulatedKernel(world, new UnixPaths(), faults, new SimulatedKernel.Conditions());

    assertThatThrownBy(() -> new Loop(kernel))
        .isInstanceOf(SystemCallException.class)
        .hasMessageContaining("epoll_ctl ADD: ENOSPC");
    assertThat(kernel.openDescriptors()).isZero();
    proxy.runUntil(MILLI);
  }
}
