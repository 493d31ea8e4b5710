package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Errno;
import dev.peekpass.proxy.Tests.Running;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What is logged where the kernel lets only CAP_NET_ADMIN keep new connections away from a socket
 * that closes, as it does since mid-2026: nobody can do anything about it.
 */
class ClosingWithoutCapabilityTest {
  @TempDir private Path dir;
  private final List<String> lines = new CopyOnWriteArrayList<>();
  private final SteeredKernel kernel = new SteeredKernel();

  @AfterEach
  void listenNoMore() {
    ErrorLog.listen(null);
  }

  private String yaml(int listeners) {
    return "listeners:\n"
        + "  - { bind: \"127.0.0.1:0\" }\n".repeat(listeners)
        + "backends: { shop: { handoff: \"unix:"
        + dir.resolve("shop")
        + "\" } }\nroutes: [ { host: shop.example, backend: shop } ]\n";
  }

  private Running start() throws IOException {
    ErrorLog.listen(lines::add);
    kernel.fail("attachFilter", none -> -Errno.EPERM);
    return new Running(yaml(2), kernel);
  }

  @Test
  void atAStopNothingIsSaid() throws Exception {
    start().close();
    assertThat(kernel.calls("attachFilter")).isEqualTo(2);
    assertThat(lines).noneMatch(line -> line.contains("FILTER"));
  }

  @Test
  void atAReloadItIsNoWarning() throws Exception {
    try (Running running = start()) {
      running.proxy.reload(Tests.configuration(yaml(1)));
      Tests.await("it is said", () -> lines.stream().anyMatch(line -> line.contains("FILTER")));
    }
    assertThat(lines)
        .filteredOn(line -> line.contains("FILTER"))
        .hasSize(1)
        .allMatch(line -> line.startsWith("INFO listener 127.0.0.1:"));
  }
}
