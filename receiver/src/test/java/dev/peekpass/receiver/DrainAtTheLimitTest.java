package dev.peekpass.receiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Kernel;
import dev.peekpass.receiver.TestProxy.Accepted;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Draining where something has run out: what was sent before is given out all the same. */
class DrainAtTheLimitTest {
  private static final int WAITING = 5;

  @TempDir Path dir;
  private final TestProxy proxy = new TestProxy();

  @AfterEach
  void closeProxy() throws Exception {
    proxy.close();
  }

  private List<Accepted> handOver(Path path) throws Exception {
    List<Accepted> sent = new ArrayList<>();
    for (int i = 0; i < WAITING; i++) {
      sent.add(proxy.client());
      proxy.once(path, sent.getLast());
    }
    return sent;
  }

  private static void assertAllComeAndThenTheEnd(Receiver receiver, List<Accepted> sent)
      throws Exception {
    for (Accepted each : sent) {
      try (SocketChannel connection = receiver.accept()) {
        assertThat(connection.getRemoteAddress()).isEqualTo(each.client().getLocalSocketAddress());
      }
    }
    assertThatThrownBy(receiver::accept).isInstanceOf(ClosedChannelException.class);
  }

  @Test
  void theBacklogWaitsForDescriptors() throws Exception {
    Path path = dir.resolve("app.sock");
    AtomicInteger calls = new AtomicInteger();
    Kernel full =
        BrokenKernel.answering(
            proxy.kernel,
            "accept4",
            (arguments, real) -> calls.getAndIncrement() < 3 ? -Errno.EMFILE : real.call());
    try (Receiver receiver =
        Receiver.builder(path).type(SocketType.STREAM).kernels(() -> full).open()) {
      List<Accepted> sent = handOver(path);
      receiver.drain();
      assertAllComeAndThenTheEnd(receiver, sent);
      assertThat(receiver.statistics().waitsForRoom()).isEqualTo(3);
    }
  }

  @Test
  void noMoreUnixConnectionsAreOpenThanEver() throws Exception {
    Path path = dir.resolve("app.sock");
    try (Receiver receiver =
        Receiver.builder(path).type(SocketType.STREAM).maxUnixConnections(2).open()) {
      List<Accepted> sent = handOver(path);
      receiver.drain();
      receiver.accept().close();
      assertThat(receiver.statistics().openUnixConnections()).isLessThanOrEqualTo(2);
      assertAllComeAndThenTheEnd(receiver, sent.subList(1, sent.size()));
    }
  }
}
