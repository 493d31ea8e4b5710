package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.proxy.Tests.Running;
import dev.peekpass.proxy.status.BackendStatus;
import dev.peekpass.proxy.status.ChannelState;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Receivers that take connections and do not do their work: a probe finds out. */
class ProbeTest {
  private static final String GOOD = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
  private static final String BAD = "HTTP/1.1 500 Broken\r\nConnection: close\r\n\r\n";

  @TempDir private Path dir;

  private String config(String method, String more) {
    return """
    listeners:
      - { bind: "127.0.0.1:0", peek-timeout: 60s }
    backends:
      shop:
        handoff: ["unix:%s", "unix:%s"]
        method: %s
        hand-off-timeout: 60s
        probe: { http: { path: /up, host: shop.example }, every: 100ms, timeout: 20s, %s }
    routes:
      - { host: shop.example, backend: shop }
    """
        .formatted(dir.resolve("a"), dir.resolve("b"), method, more);
  }

  private static List<ChannelState> states(Running running) {
    return running.proxy.status().backends().getFirst().sockets().stream()
        .map(BackendStatus.Socket::state)
        .toList();
  }

  private static boolean isUnhealthy(Running running, int socket) {
    return states(running).get(socket) == ChannelState.UNHEALTHY;
  }

  /** Answers probes that have come; returns the first connection of a client, or null. */
  private static @Nullable Fd serve(TestReceiver receiver, String toProbes) {
    for (Fd fd = receiver.poll(); fd != null; fd = receiver.poll()) {
      if (!receiver.read(fd).startsWith("GET /up ")) {
        return fd;
      }
      receiver.answer(fd, toProbes);
    }
    return null;
  }

  private static void serveBoth(TestReceiver a, TestReceiver b, String toProbesOfB) {
    Fd fd = serve(a, GOOD);
    assertThat(fd == null ? serve(b, toProbesOfB) : fd).as("a client's connection").isNull();
  }

  @ParameterizedTest
  @ValueSource(strings = {"once", "persistent", "datagram", "auto"})
  void aReceiverThatAnswersWronglyGetsNothingUntilItDoesItsWork(String method) throws Exception {
    long before = Tests.openDescriptors();
    boolean datagram = method.equals("datagram");
    Path pathA = dir.resolve("a");
    Path pathB = dir.resolve("b");
    try (TestReceiver a = datagram ? TestReceiver.datagram(pathA) : TestReceiver.stream(pathA);
        TestReceiver b = datagram ? TestReceiver.datagram(pathB) : TestReceiver.stream(pathB);
        Running running = new Running(config(method, "rise: 2, fall: 3"))) {
      Tests.await(
          "b is found out",
          () -> {
            serveBoth(a, b, BAD);
            return isUnhealthy(running, 1);
          });
      for (int i = 0; i < 6; i++) {
        takenBy(running, a, b, a);
      }
      Tests.await(
          "b is back",
          () -> {
            serveBoth(a, b, GOOD);
            return !isUnhealthy(running, 1);
          });
      boolean[] took = new boolean[2];
      Tests.await(
          "both get their part",
          () -> {
            took[takenBy(running, a, b, null) == a ? 0 : 1] = true;
            return took[0] && took[1];
          });
    }
    Tests.await("every descriptor is closed", () -> Tests.openDescriptors() <= before + 2);
  }

  /** Sends a request and waits until one of them has it, the expected one if there is any. */
  private static TestReceiver takenBy(
      Running running, TestReceiver a, TestReceiver b, @Nullable TestReceiver expected) {
    TestReceiver[] taker = new TestReceiver[1];
    try (Socket client = running.connect()) {
      client
          .getOutputStream()
          .write(
              "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
      Tests.await(
          "a connection is handed off",
          () -> {
            for (TestReceiver receiver : List.of(a, b)) {
              Fd fd = serve(receiver, expected == null || receiver == expected ? GOOD : BAD);
              if (fd != null) {
                receiver.close(fd);
                taker[0] = receiver;
                return true;
              }
            }
            return false;
          });
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    if (expected != null) {
      assertThat(taker[0]).isEqualTo(expected);
    }
    return taker[0];
  }

  @Test
  void aReceiverThatHangsOrIsNotThereIsUnhealthyAndAnAcknowledgingOneIsNotAsked() throws Exception {
    String yaml = config("auto", "rise: 1, fall: 2").replace("timeout: 20s", "timeout: 50ms");
    try (TestReceiver hangs = TestReceiver.stream(dir.resolve("a"));
        Running running = new Running(yaml)) {
      try (TestAcknowledger acknowledges = new TestAcknowledger(dir.resolve("b"))) {
        assertThat(hangs.channelsAccepted).isZero();
        Tests.await("the first is found out", () -> isUnhealthy(running, 0));
        Tests.await("the second is healthy", () -> !isUnhealthy(running, 1));
        try (Socket client = running.connect()) {
          client
              .getOutputStream()
              .write(
                  "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n"
                      .getBytes(StandardCharsets.US_ASCII));
          acknowledges.accept().greet(true, 10);
          acknowledges.close(acknowledges.next());
        }
      }
      Tests.await("the second is gone", () -> isUnhealthy(running, 1));
      assertThat(running.proxy.status().backends().getFirst().state()).isEqualTo("down");
    }
  }

  /** However many receivers make the prober's close(2) of its copy wait, others are asked. */
  @Test
  void receiversThatLingerHoldUpNoOtherProbe() throws Exception {
    int lingering = Runtime.getRuntime().availableProcessors() + 1;
    StringBuilder backends = new StringBuilder();
    List<TestReceiver> evil = new ArrayList<>();
    Thread[] serving = new Thread[lingering];
    AtomicBoolean over = new AtomicBoolean();
    String probe = "probe: { http: { path: /up, host: a }, every: 100ms, timeout: 60s }";
    try (TestReceiver good = TestReceiver.stream(dir.resolve("good"))) {
      for (int i = 0; i < lingering; i++) {
        Path path = dir.resolve("evil" + i);
        evil.add(TestReceiver.stream(path));
        backends.append("  evil%d: { handoff: \"unix:%s\", %s }%n".formatted(i, path, probe));
        TestReceiver receiver = evil.getLast();
        serving[i] = Thread.ofPlatform().start(() -> lingerAlways(receiver, over));
      }
      String yaml =
          """
          listeners: [ { bind: "127.0.0.1:0" } ]
          backends:
            good: { handoff: "unix:%s", %s }
          %sroutes: [ { host: a, backend: good } ]
          """
              .formatted(dir.resolve("good"), probe, backends);
      try (Running _ = new Running(yaml)) {
        int[] asked = new int[1];
        Tests.await(
            "the other is asked again and again",
            () -> {
              for (Fd fd = good.poll(); fd != null; fd = good.poll()) {
                good.answer(fd, GOOD);
                asked[0]++;
              }
              return asked[0] >= 20;
            });
      }
    } finally {
      over.set(true);
      for (int i = 0; i < lingering; i++) {
        serving[i].join();
        evil.get(i).close();
      }
    }
  }

  /** Takes each probe, writes more than it takes, and closes first, with SO_LINGER. */
  private static void lingerAlways(TestReceiver receiver, AtomicBoolean over) {
    Kernel kernel = LinuxKernel.open();
    NativeBuffer bytes = new NativeBuffer(1 << 16);
    while (!over.get()) {
      Fd fd = receiver.poll();
      if (fd == null) {
        LockSupport.parkNanos(10_000);
        continue;
      }
      receiver.read(fd);
      int flags = Linux.MSG_DONTWAIT | Linux.MSG_NOSIGNAL;
      while (kernel.send(fd, bytes, 0, bytes.capacity(), flags) > 0) {
        // Until nothing more fits.
      }
      assertThat(kernel.setLinger(fd, true, 200)).isZero();
      receiver.close(fd);
    }
  }
}
