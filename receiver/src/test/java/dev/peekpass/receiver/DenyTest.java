package dev.peekpass.receiver;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.wire.FromReceiver;
import dev.peekpass.wire.HandOff;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One UNIX connection more than may be is told so, and the others go on. */
class DenyTest {
  @TempDir Path dir;
  private final TestProxy proxy = new TestProxy();

  @AfterEach
  void closeProxy() throws IOException {
    proxy.close();
  }

  @Test
  void thereIsNoRoomForAnotherUnixConnection() throws Exception {
    Path path = dir.resolve("app.sock");
    try (DescriptorReceiver receiver =
        Receiver.builder(path).maxUnixConnections(1).openDescriptors()) {
      TestOffers first = new TestOffers(proxy, path);
      TestOffers second = new TestOffers(proxy, path);
      assertThat(receiver.poll()).isNull();
      assertThat(first.read()).isEqualTo(FromReceiver.Kind.HELLO);
      assertThat(second.read()).isEqualTo(FromReceiver.Kind.DENY);
      assertThat(second.view.deniedReason()).isEqualTo(HandOff.DENIED_FULL);
      assertThat(second.view.deniedUid()).isEqualTo(proxy.kernel.geteuid());
      assertThat(second.isEnded()).isTrue();
      second.close();

      first.greet(true).offer(proxy.client().fd());
      Objects.requireNonNull(receiver.poll()).discard(proxy.kernel);
      first.close();

      assertThat(receiver.poll()).isNull();
      TestOffers third = new TestOffers(proxy, path);
      assertThat(receiver.poll()).isNull();
      assertThat(third.read()).isEqualTo(FromReceiver.Kind.HELLO);
      third.close();
    }
  }
}
