package dev.peekpass.receiver;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Linux;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.List;
import java.util.ResourceBundle;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class ReceiverLogTest {
  private final TestProxy proxy = new TestProxy();
  private final Fd event = proxy.own(proxy.kernel.eventfd(0, Linux.EFD_CLOEXEC));
  private final int before = OpenDescriptors.now().size();
  private final SpareDescriptors spare = new SpareDescriptors(proxy.kernel, event);
  private final Tally tally = new Tally();

  @BeforeEach
  void openThem() {
    spare.open();
  }

  @AfterEach
  void closeAll() throws IOException {
    spare.close();
    assertThat(OpenDescriptors.now()).hasSize(before);
    proxy.close();
  }

  /** A logger that does what a test says with a message. */
  private record Logger(java.util.function.Consumer<String> action) implements System.Logger {
    @Override
    public String getName() {
      return "test";
    }

    @Override
    public boolean isLoggable(Level level) {
      return true;
    }

    @Override
    public void log(Level level, @Nullable ResourceBundle bundle, String text, Throwable thrown) {
      action.accept(text);
    }

    @Override
    public void log(Level level, @Nullable ResourceBundle bundle, String text, Object... values) {
      action.accept(text);
    }
  }

  @Test
  void theSpareDescriptorsAreClosedWhileTheLoggerWorksAndOpenAfterwards() {
    List<String> lines = new ArrayList<>();
    List<Integer> open = new ArrayList<>();
    Logger logger =
        new Logger(line -> {
          lines.add(line);
          open.add(OpenDescriptors.now().size());
        });
    assertThat(OpenDescriptors.now()).hasSize(before + SpareDescriptors.DESCRIPTORS);

    new ReceiverLog(logger, spare, tally).log(Level.WARNING, "full");

    assertThat(lines).containsExactly("full");
    assertThat(open).containsExactly(before);
    assertThat(OpenDescriptors.now()).hasSize(before + SpareDescriptors.DESCRIPTORS);
    assertThat(tally.snapshot().unlogged()).isZero();
  }

  @Test
  void whatALoggerThrowsIsCountedAndEndsNothing() {
    List<Throwable> thrown =
        List.of(new IllegalStateException("no file"), new Error("no time zones"));
    for (Throwable each : thrown) {
      Logger logger =
          new Logger(line -> {
            if (each instanceof Error error) {
              throw error;
            }
            throw (RuntimeException) each;
          });
      new ReceiverLog(logger, spare, tally).log(Level.WARNING, "full");
    }

    assertThat(tally.snapshot().unlogged()).isEqualTo(2);
    assertThat(OpenDescriptors.now()).hasSize(before + SpareDescriptors.DESCRIPTORS);
  }
}
