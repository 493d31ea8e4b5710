package dev.peekpass.proxy.turn;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.SignalCalls;
import dev.peekpass.proxy.Tests;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class CloseQueueTest {
  private final Kernel kernel = LinuxKernel.open();
  private final ConcurrentLinkedQueue<String> calls = new ConcurrentLinkedQueue<>();
  private final ConcurrentLinkedQueue<Integer> closers = new ConcurrentLinkedQueue<>();
  private final CountDownLatch gate = new CountDownLatch(1);
  private volatile boolean held;
  private Turn turn;
  private CloseQueue queue;

  @BeforeEach
  void open() throws Exception {
    StallWatch watch = new StallWatch(LinuxKernel.open());
    turn = new Turn(kernel, CloseQueue.threads(this::recording, watch));
    queue = (CloseQueue) turn.newCloser();
  }

  @AfterEach
  void close() {
    gate.countDown();
    turn.close();
  }

  /** The kernel of the thread that closes: notes what it closes, and can be held. */
  private Kernel recording() {
    Kernel real = LinuxKernel.open();
    return (Kernel)
        Proxy.newProxyInstance(
            Kernel.class.getClassLoader(),
            new Class<?>[] {Kernel.class},
            (self, method, arguments) -> {
              if (method.getName().startsWith("close")) {
                closers.add(real.gettid());
                if (held) {
                  gate.await();
                }
                calls.add(method.getName() + " " + List.of(arguments));
              }
              return method.invoke(real, arguments);
            });
  }

  private Fd newDescriptor() {
    int r = kernel.eventfd(0, Linux.EFD_CLOEXEC);
    assertThat(r).isNotNegative();
    return Fd.of(r);
  }

  private boolean isOpen(Fd fd) {
    return kernel.fcntl(fd, Linux.F_GETFD, 0) >= 0;
  }

  private void endTurn() {
    turn.wakeBy(0);
    turn.await();
  }

  @Test
  void whatIsGivenToItIsClosedAfterTheTurn() {
    Fd fd = newDescriptor();
    queue.close(fd);
    assertThat(isOpen(fd)).isTrue();

    endTurn();

    Tests.await("it is closed", () -> !isOpen(fd));
  }

  /** Who starts the program may have signals blocked, and threads inherit that. */
  @Test
  void itsThreadCanBeInterruptedThoughTheSignalForThatWasBlockedWhereItWasStarted()
      throws IOException {
    held = true;
    long signal = SignalCalls.setOf(Linux.SIGURG);
    assertThat(SignalCalls.block(signal)).isZero();
    try {
      queue.close(newDescriptor());
      endTurn();
    } finally {
      SignalCalls.unblock(signal);
    }
    Tests.await("it closes", () -> closers.size() == 1);
    Path status = Path.of("/proc/self/task/" + closers.peek() + "/status");
    String blocked =
        Files.readAllLines(status).stream()
            .filter(line -> line.startsWith("SigBlk:"))
            .findFirst()
            .orElseThrow()
            .substring("SigBlk:".length());
    assertThat(Long.parseUnsignedLong(blocked.strip(), 16) & signal).isZero();
  }

  @Test
  void nothingButWhatItWasGivenIsClosedByRanges() {
    List<Fd> descriptors = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      descriptors.add(newDescriptor());
    }
    List<Fd> given = new ArrayList<>(descriptors);
    Fd kept = given.remove(17);
    Collections.shuffle(given);
    given.forEach(queue::close);

    endTurn();

    Tests.await("they are closed", () -> given.stream().noneMatch(this::isOpen));
    assertThat(isOpen(kept)).isTrue();
    assertThat(calls).as("neighbours go together").hasSizeLessThan(10);
    kernel.close(kept);
  }

  @Test
  void itSaysThatItIsFullAndTakesMoreAllTheSame() {
    held = true;
    List<Fd> descriptors = new ArrayList<>();
    while (!queue.isFull()) {
      descriptors.add(newDescriptor());
      queue.close(descriptors.getLast());
      if (descriptors.size() % 100 == 0) {
        endTurn();
      }
      assertThat(descriptors.size()).isLessThan(5000);
    }
    Fd more = newDescriptor();
    queue.close(more);
    endTurn();
    assertThat(isOpen(more)).isTrue();

    held = false;
    gate.countDown();

    Tests.await("all are closed", () -> !isOpen(more));
    Tests.await("there is room again", () -> !queue.isFull());
    assertThat(descriptors).noneMatch(this::isOpen);
  }

  @Test
  void whatComesWhileItClosesIsClosedToo() {
    for (int i = 0; i < 2000; i++) {
      Fd fd = newDescriptor();
      queue.close(fd);
      endTurn();
    }
    Fd last = newDescriptor();
    queue.close(last);
    endTurn();
    Tests.await("the last is closed", () -> !isOpen(last));
  }
}
