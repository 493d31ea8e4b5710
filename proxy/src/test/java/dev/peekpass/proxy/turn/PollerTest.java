package dev.peekpass.proxy.turn;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class PollerTest {
  private final Kernel kernel = LinuxKernel.open();
  private final List<Fd> open = new ArrayList<>();
  private final List<String> delivered = new ArrayList<>();
  private Poller poller = newPoller();

  private Poller newPoller() {
    try {
      return new Poller(kernel, 256);
    } catch (dev.peekpass.linux.SystemCallException e) {
      throw new AssertionError(e);
    }
  }

  @BeforeEach
  void nothingDelivered() {
    delivered.clear();
  }

  @AfterEach
  void close() {
    poller.close();
    open.forEach(kernel::close);
  }

  /** A descriptor that is ready to be read at once. */
  private Fd ready() {
    Fd fd = Fd.of(kernel.eventfd(1, Linux.EFD_CLOEXEC | Linux.EFD_NONBLOCK));
    open.add(fd);
    return fd;
  }

  @Test
  void anEventReachesItsOwner() {
    poller.add(ready(), Linux.EPOLLIN, events -> delivered.add("a " + events));

    assertThat(poller.await(-1)).isOne();
    dispatch(0);
    assertThat(delivered).containsExactly("a " + Linux.EPOLLIN);
  }

  @Test
  void anEventAlreadyFetchedIsNotDeliveredAfterRemoval() {
    Fd[] fds = {ready(), ready()};
    int[] slots = new int[2];
    for (int i = 0; i < 2; i++) {
      int self = i;
      slots[i] =
          poller.add(
              fds[i],
              Linux.EPOLLIN,
              events -> {
                delivered.add("owner " + self);
                poller.remove(slots[1 - self], fds[1 - self]);
              });
    }
    assertThat(poller.await(-1)).isEqualTo(2);
    dispatch(0);
    dispatch(1);

    assertThat(delivered).hasSize(1);
  }

  @Test
  void anEventAlreadyFetchedIsNotDeliveredToTheSlotsNextOwner() {
    Fd first = ready();
    int slot = poller.add(first, Linux.EPOLLIN, events -> delivered.add("old"));
    assertThat(poller.await(-1)).isOne();
    poller.remove(slot, first);
    assertThat(poller.add(ready(), Linux.EPOLLIN, events -> delivered.add("new"))).isEqualTo(slot);
    dispatch(0);

    assertThat(delivered).isEmpty();
  }

  @Test
  void aLookThatWasInterruptedIsMadeAgain() throws Exception {
    int[] left = {3};
    Kernel interrupted =
        (Kernel)
            Proxy.newProxyInstance(
                Kernel.class.getClassLoader(),
                new Class<?>[] {Kernel.class},
                (self, method, arguments) ->
                    method.getName().equals("epollWait") && left[0]-- > 0
                        ? (Object) (-Errno.EINTR)
                        : method.invoke(kernel, arguments));
    poller.close();
    poller = new Poller(interrupted, 256);
    poller.add(ready(), Linux.EPOLLIN, events -> delivered.add("seen"));

    assertThat(poller.await(0)).isOne();
    left[0] = 1;
    assertThat(poller.await(1)).as("who waits is told").isZero();
  }

  @Test
  void manyDescriptorsFindTheirOwners() {
    for (int i = 0; i < 500; i++) {
      int self = i;
      poller.add(ready(), Linux.EPOLLIN | Linux.EPOLLET, events -> delivered.add("" + self));
    }
    for (int n = poller.await(0); n > 0; n = poller.await(0)) {
      for (int i = 0; i < n; i++) {
        dispatch(i);
      }
    }

    assertThat(delivered).hasSize(500).doesNotHaveDuplicates();
  }

  @Test
  void aRefusalComesBackAsItsErrorAndTakesNoSlot() {
    assertThat(poller.add(Fd.of(1 << 20), Linux.EPOLLIN, events -> {})).isEqualTo(-Errno.EBADF);
    assertThat(poller.add(ready(), Linux.EPOLLIN, events -> {})).isZero();
  }

  private void dispatch(int index) {
    Pollable ready = poller.ready(index);
    if (ready != null) {
      ready.onEvents(poller.events(index));
    }
  }
}
