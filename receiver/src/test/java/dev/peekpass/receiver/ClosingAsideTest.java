package dev.peekpass.receiver;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.SignalCalls;
import dev.peekpass.receiver.ClosingAside.How;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class ClosingAsideTest {
  private final Kernel kernel = LinuxKernel.open();

  private boolean isOpen(Fd fd) {
    return kernel.fcntl(fd, Linux.F_GETFD, 0) >= 0;
  }

  /** Each close(2) would wait for minutes, and no other thread is left for the rest. */
  @Test
  void whatLingersInAllItsThreadsHoldsUpNothingElse() throws Exception {
    assertThatWhatLingersHoldsUpNothingElse();
  }

  private void assertThatWhatLingersHoldsUpNothingElse() throws Exception {
    ClosingAside aside = new ClosingAside(LinuxKernel::open, "test");
    try (TestProxy sender = new TestProxy()) {
      for (int i = 0; i < 3 * ClosingAside.THREADS_MAX; i++) {
        Fd lingering = sender.give(Lingering.connection(sender));
        assertThat(aside.close(lingering, How.AS_IT_IS)).isTrue();
      }
      Fd last = Fd.of(kernel.eventfd(0, Linux.EFD_CLOEXEC));
      assertThat(aside.close(last, How.AS_IT_IS)).isTrue();

      Lingering.assertAtOnce(() -> {
        while (isOpen(last)) {
          Thread.sleep(1);
        }
      });
    } finally {
      aside.end();
    }
  }

  /** Who starts the program may have signals blocked, and threads inherit that. */
  @Test
  void whatLingersIsInterruptedThoughTheSignalForThatIsBlockedInTheCaller() throws Exception {
    long signal = SignalCalls.setOf(Linux.SIGURG);
    assertThat(SignalCalls.block(signal)).isZero();
    try {
      assertThatWhatLingersHoldsUpNothingElse();
    } finally {
      SignalCalls.unblock(signal);
    }
  }

  /** Fills all threads with what lingers. */
  private void occupy(ClosingAside aside, TestProxy sender) {
    for (int i = 0; i < ClosingAside.THREADS_MAX; i++) {
      assertThat(aside.close(sender.give(Lingering.connection(sender)), How.AS_IT_IS)).isTrue();
    }
  }

  private Fd any() {
    return Fd.of(kernel.eventfd(0, Linux.EFD_CLOEXEC));
  }

  private void awaitClosed(Fd fd) throws Exception {
    Lingering.assertAtOnce(() -> {
      while (isOpen(fd)) {
        Thread.sleep(1);
      }
    });
  }

  /** Whoever is told false closes, and what was queued may have another owner by then. */
  @Test
  void whatIsQueuedIsNotTheCallersThoughNoThreadCanBeStarted() throws Exception {
    AtomicBoolean broken = new AtomicBoolean(true);
    ThreadFactory factory =
        task ->
            new Thread(task) {
              @Override
              public void start() {
                if (broken.get()) {
                  throw new OutOfMemoryError("unable to create native thread");
                }
                setDaemon(true);
                super.start();
              }
            };
    ClosingAside aside = new ClosingAside(LinuxKernel::open, "test", factory);
    try (TestProxy sender = new TestProxy()) {
      occupy(aside, sender);
      Fd queued = any();
      assertThat(aside.close(queued, How.AS_IT_IS)).isTrue();
      assertThat(isOpen(queued)).isTrue();

      broken.set(false);
      assertThat(aside.close(any(), How.AS_IT_IS)).isTrue();
      awaitClosed(queued);
    } finally {
      aside.end();
    }
  }

  @Test
  void anInterrupterThatFailsIsReplacedByAnother() throws Exception {
    AtomicInteger failures = new AtomicInteger();
    ClosingAside aside =
        new ClosingAside(
            () -> {
              if (Thread.currentThread().getName().endsWith("interrupts")
                  && failures.getAndIncrement() == 0) {
                throw new IllegalStateException("a test's");
              }
              return LinuxKernel.open();
            },
            "test");
    try (TestProxy sender = new TestProxy()) {
      occupy(aside, sender);
      Fd queued = any();
      assertThat(aside.close(queued, How.AS_IT_IS)).isTrue();
      Lingering.assertAtOnce(() -> {
        while (isOpen(queued)) {
          Thread.sleep(1);
          aside.close(any(), How.AS_IT_IS);
        }
      });
      assertThat(failures.get()).isGreaterThan(1);
    } finally {
      aside.end();
    }
  }

  /** It is somebody else's connection, whose SO_LINGER is not to be touched. */
  @Test
  void whereThereIsNoRoomASharedConnectionIsClosedAsItIs() throws Exception {
    ClosingAside aside =
        new ClosingAside(
            LinuxKernel::open,
            "test",
            task ->
                new Thread(task) {
                  @Override
                  public void start() {
                    throw new OutOfMemoryError("unable to create native thread");
                  }
                });
    try (TestProxy sender = new TestProxy()) {
      occupy(aside, sender);
      Fd room = any();
      while (aside.close(room, How.AS_IT_IS)) {
        room = any();
      }
      kernel.close(room);
      Fd somebodys = Lingering.connection(sender);
      Fd shared = Fd.of(kernel.fcntl(somebodys, Linux.F_DUPFD_CLOEXEC, 0));
      AtomicInteger cleared = new AtomicInteger();
      new DescriptorRefusal(
              BrokenKernel.before(kernel, "setLinger", cleared::incrementAndGet), aside)
          .leave(shared);

      assertThat(isOpen(shared)).isFalse();
      assertThat(cleared.get()).isZero();
    } finally {
      aside.end();
    }
  }

  /** The last copy of one that lingers. */
  @Test
  void whatIsClosedForWantOfRoomIsInterruptedToo() throws Exception {
    ClosingAside aside = new ClosingAside(LinuxKernel::open, "test");
    try (TestProxy sender = new TestProxy()) {
      Fd last = sender.give(Lingering.connection(sender));
      Lingering.assertAtOnce(() -> aside.closeHere(kernel, last, How.AS_IT_IS));
    } finally {
      aside.end();
    }
  }
}
