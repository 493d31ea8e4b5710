package dev.peekpass.receiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.OverflowUid;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.ResourceBundle;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** What the log says of those who are not allowed, however often they come. */
class PeerPolicyTest {
  private static final long SECOND = 1_000_000_000L;

  private final List<String> lines = new ArrayList<>();
  private long now;

  private final System.Logger logger =
      new System.Logger() {
        @Override
        public String getName() {
          return "test";
        }

        @Override
        public boolean isLoggable(Level level) {
          return true;
        }

        @Override
        public void log(
            Level level, @Nullable ResourceBundle bundle, String message, @Nullable Throwable t) {
          lines.add(level + " " + message);
        }

        @Override
        public void log(
            Level level, @Nullable ResourceBundle bundle, String format, @Nullable Object... all) {
          lines.add(level + " " + format);
        }
      };

  private final Kernel clock =
      (Kernel)
          Proxy.newProxyInstance(
              Kernel.class.getClassLoader(),
              new Class<?>[] {Kernel.class},
              (proxy, method, arguments) -> now);

  private final Tally tally = new Tally();
  private final PeerPolicy policy =
      new PeerPolicy(
          clock,
          Set.of(0, 7),
          "unix:/run/app.sock",
          new ReceiverLog(logger, new SpareDescriptors(LinuxKernel.open(), Fd.of(0)), tally),
          tally);

  @Test
  void theFirstOfEachUserIsSaidAtOnceWithTheRemedies() {
    assertThat(policy.allows(7, 1)).isTrue();
    assertThat(policy.allows(33, 4711)).isFalse();
    assertThat(policy.allows(34, 4712)).isFalse();
    assertThat(lines).hasSize(2);
    assertThat(lines.getFirst())
        .startsWith("WARNING unix:/run/app.sock: refused pid 4711 of uid 33, ")
        .contains("allowUid(33)", "--allow-uid 33", "+uid=33");
    assertThat(lines.getLast()).contains("uid 34");
    assertThat(tally.snapshot().refusedPeers()).isEqualTo(2);
  }

  @Test
  void furtherOnesAreCounted() {
    for (int i = 0; i < 100_000; i++) {
      policy.allows(33, 4711);
      now += SECOND / 10_000;
    }
    assertThat(lines).hasSize(1);
    policy.allows(33, 4711);
    assertThat(lines).hasSize(2);
    assertThat(lines.getLast()).endsWith("(and 99999 more alike)");
  }

  @Test
  void howManyUsersAreToldApartIsBounded() {
    for (int uid = 1000; uid < 11_000; uid++) {
      policy.allows(uid, 1);
    }
    assertThat(lines).hasSizeBetween(64, 65);
    now += 10 * SECOND;
    policy.allows(99, 1);
    assertThat(lines.getLast()).contains("uid 99").contains("more alike");
  }

  /** It stands for everybody whom a user namespace has no number for. */
  @Test
  void theOverflowUidIsNeverAllowedNorIsThatAdvised() {
    int everybodys = OverflowUid.get();
    assertThat(policy.allows(everybodys, 4711)).isFalse();
    assertThat(lines.getLast())
        .contains("uid " + everybodys, "map the proxy's user", "a user of its own")
        .doesNotContain("--allow-uid", "allowUid(", "+uid=");
    assertThatThrownBy(() -> Receiver.builder(Path.of("/run/app.sock")).allowUid(everybodys))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("map the proxy's user");
  }

  /** As a process in a user namespace that has no number for its own user. */
  @Test
  void aProcessOfTheOverflowUidDoesNotLetThatInByDefault() {
    Kernel nobody =
        BrokenKernel.answering(LinuxKernel.open(), "geteuid", (call, real) -> OverflowUid.get());
    assertThat(Receiver.builder(Path.of("/a")).kernels(() -> nobody).settings().allowedUids())
        .containsExactly(0);
  }
}
