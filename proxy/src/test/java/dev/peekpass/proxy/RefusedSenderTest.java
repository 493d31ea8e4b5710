package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.proxy.Tests.Running;
import dev.peekpass.proxy.status.Outcome;
import java.io.IOException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** Clients that go on sending when they have been refused, on the real kernel. */
class RefusedSenderTest {
  private static final String YAML =
      """
      listeners:
        - { bind: "127.0.0.1:0" }
      backends:
        shop: { handoff: "unix:/nonexistent/shop.sock" }
      routes:
        - { host: shop.example, backend: shop }
      fallback: { reject: http-status }
      """;

  private static final String HEAD = "POST / HTTP/1.1\r\nHost: nobody.example\r\n\r\n";
  private static final int AT_ONCE = 1 << 16;
  private static final int IN_ALL = 1 << 20;

  /** Each read of less than 512 bytes counts as much as 4 KiB. */
  private static final int MOST_READS = IN_ALL / 4096;

  /** What was read and not peeked at, one entry a call. */
  private final Queue<Read> reads = new ConcurrentLinkedQueue<>();

  /** How often the loop has looked for events. */
  private final AtomicInteger looks = new AtomicInteger();

  private record Read(int look, int bytes, boolean copied) {}

  private Kernel kernel() {
    Kernel real = LinuxKernel.open();
    return (Kernel)
        Proxy.newProxyInstance(
            Kernel.class.getClassLoader(),
            new Class<?>[] {Kernel.class},
            (self, method, arguments) -> call(real, method, arguments));
  }

  private Object call(Kernel real, Method method, Object[] arguments)
      throws ReflectiveOperationException {
    if (method.getName().equals("epollWait")) {
      looks.incrementAndGet();
    }
    Object result = method.invoke(real, arguments);
    if (method.getName().equals("recv")) {
      int flags = (int) arguments[arguments.length - 1];
      int n = (int) result;
      if ((flags & Linux.MSG_PEEK) == 0 && n > 0) {
        reads.add(new Read(looks.get(), n, (flags & Linux.MSG_TRUNC) == 0));
      }
    }
    return result;
  }

  private int dropped() {
    return reads.stream().mapToInt(Read::bytes).sum();
  }

  @Test
  void whatIsSentIsDroppedUncopiedAndALittleAtATime() throws Exception {
    byte[] sent = (HEAD + "x".repeat(300_000)).getBytes(StandardCharsets.US_ASCII);
    try (Running running = new Running(YAML, this::kernel);
        Socket client = running.connect()) {
      client.getOutputStream().write(sent);

      String answer = new String(client.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
      assertThat(answer).startsWith("HTTP/1.1 421 ").endsWith("served here.\n");
      Tests.await("all is dropped", () -> dropped() == sent.length);
      assertThat(reads).noneMatch(Read::copied);
      reads.stream()
          .map(Read::look)
          .distinct()
          .forEach(t ->
              assertThat(reads.stream().filter(r -> r.look() == t).mapToInt(Read::bytes).sum())
                  .as("bytes after look %d", t)
                  .isLessThanOrEqualTo(AT_ONCE));
      assertThat(running.count(Outcome.REFUSED_NO_ROUTE)).isOne();
    }
  }

  @Test
  void oneThatNeverEndsIsCutOff() throws Exception {
    byte[] piece = new byte[16_384];
    try (Running running = new Running(YAML, this::kernel);
        Socket client = running.connect()) {
      client.getOutputStream().write(HEAD.getBytes(StandardCharsets.US_ASCII));
      Tests.await("it is refused", () -> running.count(Outcome.REFUSED_NO_ROUTE) == 1);
      int sent = HEAD.length();
      while (sent + piece.length < IN_ALL) {
        // Each piece by itself, so that there is never much at once.
        assertThat(write(client, piece)).isTrue();
        sent += piece.length;
        int all = sent;
        Tests.await("it is dropped", () -> dropped() == all);
      }
      // The reset comes when it comes; until then the client's own kernel takes some more.
      Tests.await("it is cut off", () -> !write(client, piece));

      assertThat(dropped()).isBetween(IN_ALL, IN_ALL + AT_ONCE);
    }
  }

  @Test
  void oneThatSendsLittleAtATimeIsCutOffTheSame() throws Exception {
    byte[] piece = new byte[16];
    try (Running running = new Running(YAML, this::kernel);
        Socket client = running.connect()) {
      client.getOutputStream().write(HEAD.getBytes(StandardCharsets.US_ASCII));
      Tests.await("it is refused", () -> running.count(Outcome.REFUSED_NO_ROUTE) == 1);
      int sent = HEAD.length();
      while (reads.size() < MOST_READS && sent < MOST_READS * piece.length * 2) {
        assertThat(write(client, piece)).isTrue();
        sent += piece.length;
        int all = sent;
        Tests.await("it is dropped", () -> dropped() >= all);
      }

      Tests.await("it is cut off", () -> !write(client, piece));
      assertThat(reads.size()).isLessThanOrEqualTo(MOST_READS);
    }
  }

  /** Segments of a usual size that come one by one are no sign of abuse. */
  @Test
  void segmentsOfAUsualSizeCountForWhatTheyAre() throws Exception {
    byte[] piece = new byte[1_400];
    try (Running running = new Running(YAML, this::kernel);
        Socket client = running.connect()) {
      client.setTcpNoDelay(true);
      client.getOutputStream().write(HEAD.getBytes(StandardCharsets.US_ASCII));
      Tests.await("it is refused", () -> running.count(Outcome.REFUSED_NO_ROUTE) == 1);
      int sent = HEAD.length();
      for (int i = 0; i < MOST_READS + 30; i++) {
        assertThat(write(client, piece)).as("piece %d", i).isTrue();
        sent += piece.length;
        int all = sent;
        Tests.await("it is dropped", () -> dropped() == all);
      }
    }
  }

  private static boolean write(Socket client, byte[] piece) {
    try {
      client.getOutputStream().write(piece);
      return true;
    } catch (IOException e) {
      return false;
    }
  }
}
