package dev.peekpass.receiver;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.receiver.ClosingAside.How;
import org.junit.jupiter.api.Test;

class ClosingAsideTest {
  private final Kernel kernel = LinuxKernel.open();

  private boolean isOpen(Fd fd) {
    return kernel.fcntl(fd, Linux.F_GETFD, 0) >= 0;
  }

  /** Each close(2) would wait for minutes, and no other thread is left for the rest. */
  @Test
  void whatLingersInAllItsThreadsHoldsUpNothingElse() throws Exception {
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
}
