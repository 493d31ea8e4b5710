package dev.peekpass.proxy.turn;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.SystemCallException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class TurnTest {
  private static final int CROWD = 500;

  private final Kernel kernel = LinuxKernel.open();
  private final List<Fd> open = new ArrayList<>();
  private final Turn turn;

  TurnTest() throws SystemCallException {
    turn = new Turn(kernel, CloseQueue.threads(LinuxKernel::open, new StallWatch(kernel)));
  }

  @AfterEach
  void close() {
    turn.close();
    open.forEach(kernel::close);
  }

  private Fd ready() {
    Fd fd = Fd.of(kernel.eventfd(1, Linux.EFD_CLOEXEC | Linux.EFD_NONBLOCK));
    open.add(fd);
    return fd;
  }

  private void runTurn() {
    turn.wakeBy(turn.nowNanos());
    int events = turn.await();
    for (int i = 0; i < events; i++) {
      turn.dispatch(i);
    }
  }

  @Test
  void aListenerDoesNotWaitBehindThousandsOfClients() {
    List<String> order = new ArrayList<>();
    for (int i = 0; i < CROWD; i++) {
      int interest = Linux.EPOLLIN | Linux.EPOLLET;
      assertThat(turn.clients().add(ready(), interest, events -> order.add("client")))
          .isNotNegative();
    }
    turn.poller().add(ready(), Linux.EPOLLIN, events -> order.add("listener"));

    runTurn();
    assertThat(order).contains("listener").contains("client").hasSizeLessThan(100);

    for (int turns = 0; turns < CROWD; turns++) {
      runTurn();
    }
    assertThat(order).as("each is told once").filteredOn("client"::equals).hasSize(CROWD);
  }

  @Test
  void aClientThatIsRemovedInItsTurnGetsNoEvents() {
    List<String> told = new ArrayList<>();
    Fd[] fds = {ready(), ready()};
    int[] slots = new int[2];
    for (int i = 0; i < 2; i++) {
      int self = i;
      slots[i] =
          turn.clients()
              .add(
                  fds[i],
                  Linux.EPOLLIN,
                  events -> {
                    told.add("client " + self);
                    turn.clients().remove(slots[1 - self], fds[1 - self]);
                  });
    }
    runTurn();
    assertThat(told).hasSize(1);
  }
}
