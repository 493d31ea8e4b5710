package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.output.LineSink;
import dev.peekpass.proxy.status.Counter;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever ends a loop ends the proxy, which then neither listens nor keeps anybody waiting. */
class EndTest {
  private static final LineSink NOWHERE = (lines, length, givesUp) -> 0;

  private static final String REQUEST = "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";

  /** Loops end what is pending within a second, and the log has another. */
  private static final long PATIENCE_SECONDS = 8;

  @TempDir private Path dir;

  private String yaml(int threads, boolean log) {
    return """
    threads: %d
    access-log: %s
    listeners:
      - { bind: "127.0.0.1:0", peek-timeout: 30s }
    backends:
      shop: { handoff: "unix:%s", method: persistent, hand-off-timeout: 30s }
    routes:
      - { host: shop.example, backend: shop }
    """
        .formatted(threads, log, dir.resolve("shop"));
  }

  private static Proxy start(String yaml, SteeredKernel kernel, LineSink log) throws IOException {
    return Proxy.start(Tests.configuration(yaml), kernel, log);
  }

  private static Socket connect(Proxy proxy) throws IOException {
    int port = Integer.parseInt(proxy.addresses().getFirst().replaceAll(".*:", ""));
    return new Socket(InetAddress.ofLiteral("127.0.0.1"), port);
  }

  private static void send(Socket socket) throws IOException {
    socket.getOutputStream().write(REQUEST.getBytes(StandardCharsets.US_ASCII));
  }

  /** What await() returns, if it returns in time. */
  private static boolean end(Proxy proxy) throws Exception {
    CompletableFuture<Boolean> clean = new CompletableFuture<>();
    Thread.ofVirtual()
        .start(() -> {
          try {
            clean.complete(proxy.await());
          } catch (InterruptedException e) {
            clean.completeExceptionally(e);
          }
        });
    return clean.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
  }

  private static long aliveAfter(long before) {
    return Tests.openDescriptors() - before;
  }

  @ParameterizedTest
  @CsvSource({
    "1, true, false",
    "1, false, false",
    "2, true, false",
    "2, false, false",
    "1, true, true",
    "2, true, true",
    "2, false, true"
  })
  void whateverEndsALoopEndsTheProxy(int threads, boolean log, boolean error) throws Exception {
    warmUp();
    long before = Tests.openDescriptors();
    SteeredKernel kernel = new SteeredKernel();
    Proxy proxy = start(yaml(threads, log), kernel, NOWHERE);
    // One wait that fails is not the end: all of one loop's do.
    AtomicReference<Thread> victim = new AtomicReference<>();
    kernel.fail(
        "epollWait",
        n -> {
          if (victim.compareAndSet(null, Thread.currentThread())
              || victim.get() == Thread.currentThread()) {
            if (error) {
              throw new NoClassDefFoundError("dev/peekpass/proxy/Gone");
            }
            throw new IllegalStateException("a fault");
          }
          return 0;
        });
    try (Socket client = connect(proxy)) {
      send(client);
    } catch (IOException e) {
      // It began to wait so late that this was its first wait, and has ended.
    }

    assertThat(end(proxy)).as("it ended because it was asked to").isFalse();
    assertThatThrownBy(() -> connect(proxy).close()).hasMessageContaining("refused");
    long begun = System.nanoTime();
    assertThat(proxy.turns()).isFalse();
    assertThatThrownBy(() -> proxy.reload(Tests.configuration(yaml(threads, log))))
        .isInstanceOf(IOException.class);
    assertThat(System.nanoTime() - begun).isLessThan(TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS));
    Tests.await("every descriptor is closed", () -> aliveAfter(before) <= 0);
  }

  private void warmUp() throws Exception {
    Proxy proxy = start(yaml(1, true), new SteeredKernel(), NOWHERE);
    try (Socket client = connect(proxy)) {
      send(client);
    }
    proxy.stop();
    assertThat(end(proxy)).isTrue();
  }

  @Test
  void anErrorInATaskIsTheAskersAnswerAndEndsTheProxy() throws Exception {
    SteeredKernel kernel = new SteeredKernel();
    Proxy proxy = start(yaml(2, true), kernel, NOWHERE);
    kernel.fail(
        "acceptQueue",
        n -> {
          throw new NoClassDefFoundError("dev/peekpass/proxy/Gone");
        });
    long begun = System.nanoTime();
    proxy.status();

    assertThat(end(proxy)).isFalse();
    assertThat(System.nanoTime() - begun).isLessThan(TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void aReaderOfTheLogThatHasStoppedReadingKeepsNobody(int threads) throws Exception {
    // As LineOutput waits while nobody reads.
    LineSink stuck =
        (lines, length, givesUp) -> {
          while (!givesUp.getAsBoolean()) {
            LockSupport.parkNanos(50_000_000);
          }
          return 1;
        };
    Proxy proxy = start(yaml(threads, true), new SteeredKernel(), stuck);
    try (Socket client = connect(proxy);
        TestReceiver shop = TestReceiver.stream(dir.resolve("shop"))) {
      send(client);
      shop.close(shop.take());
      proxy.stop();

      assertThat(end(proxy)).isTrue();
    }
  }

  @Test
  void aReloadThatMeetsAStopLeavesTheLogToTheLoop() throws Exception {
    SteeredKernel kernel = new SteeredKernel();
    ByteArrayOutputStream log = new ByteArrayOutputStream();
    Proxy proxy = start(yaml(1, true), kernel, Tests.sink(log));
    kernel.hold();
    try (Socket client = connect(proxy)) {
      send(client);
      Tests.await(
          "it waits, and the loop is held",
          () -> {
            boolean waits = proxy.counts().getOrDefault(Counter.QUEUED, 0L) == 1;
            if (kernel.isHeld() && !waits) {
              // Held too early.
              kernel.release();
              kernel.hold();
            }
            return kernel.isHeld() && waits;
          });
      int writes = kernel.calls("eventfdWrite");
      CompletableFuture<Object> reloaded = new CompletableFuture<>();
      Thread.ofVirtual()
          .start(() -> {
            try {
              reloaded.complete(proxy.reload(Tests.configuration(yaml(1, true))));
            } catch (IOException e) {
              reloaded.complete(e);
            }
          });
      Tests.await("it is asked", () -> kernel.calls("eventfdWrite") > writes || reloaded.isDone());
      proxy.stop();
      kernel.release();
      reloaded.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
      // Long enough for the log's thread to end, if it was closed.
      LockSupport.parkNanos(100_000_000);
      try (TestReceiver shop = TestReceiver.stream(dir.resolve("shop"))) {
        shop.close(shop.take());
        assertThat(end(proxy)).isTrue();
      }
    }

    assertThat(log.toString(StandardCharsets.UTF_8)).contains(" outcome=passed ");
  }

  @Test
  void itMayBeStoppedByAnyThreadAgainAndAgain() throws Exception {
    Proxy proxy = start(yaml(2, true), new SteeredKernel(), NOWHERE);
    for (int i = 0; i < 4; i++) {
      Thread.ofVirtual().start(proxy::stop);
    }
    proxy.stop();

    assertThat(end(proxy)).isTrue();
    proxy.stop();
    assertThat(end(proxy)).isTrue();
    assertThat(proxy.status().listeners()).isEmpty();
  }

  private Proxy prepare(int threads, Threads starter, LineSink log) throws Exception {
    return Proxy.prepare(
        Tests.configuration(yaml(threads, true)),
        LinuxKernel::open,
        log,
        Inherited.NOTHING,
        starter);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2})
  void aThreadThatCannotBeStartedLeavesNothingOpen(int started) throws Exception {
    warmUp();
    long before = Tests.openDescriptors();
    AtomicInteger count = new AtomicInteger();
    Threads scarce =
        (name, body) -> {
          if (count.getAndIncrement() == started) {
            throw new OutOfMemoryError("unable to create native thread");
          }
          Threads.PLATFORM.start(name, body);
        };

    assertThatThrownBy(() -> prepare(3, scarce, NOWHERE))
        .isInstanceOf(SystemCallException.class)
        .hasMessageContaining("create a thread")
        .hasMessageContaining("TasksMax");
    assertThat(aliveAfter(before)).isLessThanOrEqualTo(0);
  }

  @Test
  void whatIsPreparedAndStoppedHasAcceptedNobodyAndClosesAll() throws Exception {
    warmUp();
    long before = Tests.openDescriptors();
    Proxy proxy = prepare(2, Threads.PLATFORM, NOWHERE);
    try (Socket client = connect(proxy)) {
      send(client);
      proxy.stop();
      proxy.accept();
      proxy.stop();

      assertThat(end(proxy)).isTrue();
      assertThat(proxy.counts().get(Counter.ACCEPTED)).isZero();
    }
    assertThatThrownBy(() -> proxy.reload(Tests.configuration(yaml(2, true))))
        .isInstanceOf(IOException.class);
    Tests.await("every descriptor is closed", () -> aliveAfter(before) <= 0);
  }

  @Test
  void operationsThatMeetEachOtherAndAStopAllHaveAResult() throws Exception {
    warmUp();
    long before = Tests.openDescriptors();
    Proxy proxy = start(yaml(3, true), new SteeredKernel(), NOWHERE);
    AtomicInteger done = new AtomicInteger();
    AtomicInteger refused = new AtomicInteger();
    List<Thread> callers = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      int kind = i;
      callers.add(
          Thread.ofVirtual()
              .start(() -> {
                for (int n = 0; n < 500 && refused.get() < 6; n++) {
                  try {
                    operate(proxy, kind, n);
                    done.incrementAndGet();
                  } catch (IOException e) {
                    refused.incrementAndGet();
                  }
                }
              }));
    }
    Tests.await("they are at it", () -> done.get() > 50);
    proxy.stop();
    assertThat(end(proxy)).isTrue();
    for (Thread caller : callers) {
      assertThat(caller.join(Duration.ofSeconds(PATIENCE_SECONDS))).isTrue();
    }
    Tests.await("every descriptor is closed", () -> aliveAfter(before) <= 0);
  }

  private void operate(Proxy proxy, int kind, int n) throws IOException {
    switch (kind) {
      case 0, 1 -> {
        String bind = n % 3 == kind ? "127.0.0.1:0" : "127.0.0.2:0";
        proxy.reload(Tests.configuration(yaml(3, n % 2 == 0).replace("127.0.0.1:0", bind)));
      }
      case 2 -> proxy.drain("shop", n % 2 == 0);
      case 3 -> proxy.status();
      case 4 -> {
        Kernel kernel = LinuxKernel.open();
        proxy.duplicateSockets().keySet().forEach(one -> kernel.close(one.fd()));
      }
      default -> proxy.turns();
    }
  }
}
