package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.listen.SocketPlan;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** All sockets of a configuration are opened or none is, also where a call throws. */
class SocketPlanTest {

  @ParameterizedTest
  @CsvSource({"listen, 1", "listen, 2", "bind, 2", "setsockopt, 3", "getsockname, 2"})
  void aFaultLeavesNothingOpen(String call, int nth) {
    Configuration configuration =
        Tests.configuration(
            """
            listeners: [ { bind: ["127.0.0.1:0", "127.0.0.2:0"] } ]
            backends: { a: { handoff: "unix:/a" } }
            fallback: a
            """);
    SteeredKernel kernel = new SteeredKernel();
    AtomicInteger calls = new AtomicInteger();
    kernel.fail(
        call,
        n -> {
          if (calls.incrementAndGet() == nth) {
            throw new IllegalStateException("a fault");
          }
          return 0;
        });
    long before = Tests.openDescriptors();

    assertThatThrownBy(() -> SocketPlan.of(kernel.get(), configuration, 2, List.of(), held -> {}))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("a fault");
    assertThat(Tests.openDescriptors()).isEqualTo(before);
  }
}
