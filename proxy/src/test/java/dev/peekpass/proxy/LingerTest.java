package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.linux.SignalCalls;
import dev.peekpass.proxy.TestAcknowledger.Offered;
import dev.peekpass.proxy.Tests.Running;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.Outcome;
import java.io.IOException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Receivers that set SO_LINGER on what they share with the proxy and close it first, so that the
 * proxy's close(2) would wait for a client that does not read. The other sites' clients must not.
 */
class LingerTest {
  /** Longer than anything here takes, however loaded the machine is. */
  private static final int LINGER_SECONDS = 120;

  @TempDir private Path dir;
  private final Kernel kernel = LinuxKernel.open();
  private final NativeBuffer bytes = new NativeBuffer(1 << 16);
  private final List<Socket> clients = new ArrayList<>();

  @AfterEach
  void closeClients() throws IOException {
    for (Socket client : clients) {
      client.close();
    }
  }

  /** The real kernel, with something done after some of the proxy's calls. */
  private static final class Interrupted implements Supplier<Kernel> {
    final Queue<String> onAccepted = new ConcurrentLinkedQueue<>();
    volatile boolean watchAccepted;
    final Queue<Integer> accepted = new ConcurrentLinkedQueue<>();
    final AtomicInteger looks = new AtomicInteger();
    volatile @Nullable String after;
    volatile Runnable action = () -> {};

    @Override
    public Kernel get() {
      Kernel real = LinuxKernel.open();
      return (Kernel)
          Proxy.newProxyInstance(
              Kernel.class.getClassLoader(),
              new Class<?>[] {Kernel.class},
              (self, method, arguments) -> call(real, method, arguments));
    }

    private boolean isAccepted(@Nullable Object @Nullable [] arguments) {
      return arguments != null
          && arguments.length > 0
          && arguments[0] instanceof Fd fd
          && accepted.contains(fd.number());
    }

    private Object call(Kernel real, Method method, @Nullable Object[] arguments)
        throws ReflectiveOperationException {
      String name = method.getName();
      String thread = Thread.currentThread().getName();
      if (thread.equals("closer")) {
        // From here on the number may be another's.
        watchAccepted = false;
      }
      if (watchAccepted && thread.startsWith("loop") && isAccepted(arguments)) {
        onAccepted.add(name);
      }
      Object result = method.invoke(real, arguments);
      if (name.equals("getLinger")) {
        looks.incrementAndGet();
      }
      if (name.equals("accept4") && (int) result >= 0) {
        accepted.add((int) result);
      }
      if (name.equals(after) && thread.startsWith("loop")) {
        after = null;
        action.run();
      }
      return result;
    }
  }

  private String config(String method, String trust) {
    return """
    threads: 1
    listeners:
      - { bind: "127.0.0.1:0", defer-accept: false }
    backends:
      good: { handoff: "unix:%s", method: persistent }
      evil: { handoff: "unix:%s", method: %s, trust: %s }
    routes:
      - { host: good.example, backend: good }
      - { host: evil.example, backend: evil }
    """
        .formatted(dir.resolve("good"), dir.resolve("evil"), method, trust);
  }

  /** Sends a request and does not read the answer. */
  private Socket deafClient(Running running) throws IOException {
    Socket client = new Socket();
    client.setReceiveBufferSize(4096);
    String address = running.proxy.addresses().getFirst();
    int port = Integer.parseInt(address.substring(address.lastIndexOf(':') + 1));
    client.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
    return ask(client, "evil.example");
  }

  private Socket ask(Socket client, String host) throws IOException {
    clients.add(client);
    client.setSoTimeout(30_000);
    client
        .getOutputStream()
        .write(
            ("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n").getBytes(StandardCharsets.US_ASCII));
    return client;
  }

  /** Another site answers, with the proxy's one loop. */
  private void assertThatOthersAreServed(TestReceiver good, Running running) throws IOException {
    Socket client = ask(running.connect(), "good.example");
    good.answer(good.take(), "hello");
    assertThat(client.getInputStream().readAllBytes()).asString().isEqualTo("hello");
  }

  /**
   * Reads the request, without which close(2) resets and does not wait; writes more than the client
   * takes, sets SO_LINGER and closes this copy.
   */
  private void fillAndClose(Fd fd) {
    int n = kernel.recv(fd, bytes, 0, bytes.capacity(), Linux.MSG_DONTWAIT);
    assertThat(n).isPositive();
    do {
      n = kernel.send(fd, bytes, 0, bytes.capacity(), Linux.MSG_DONTWAIT | Linux.MSG_NOSIGNAL);
    } while (n > 0);
    assertThat(n).isEqualTo(-Errno.EAGAIN);
    assertThat(kernel.setLinger(fd, true, LINGER_SECONDS)).isZero();
    assertThat(kernel.close(fd)).isZero();
  }

  /** Claims it, wins by closing before it acknowledges. */
  @ParameterizedTest
  @ValueSource(strings = {"auto", "always", "never"})
  void aReceiverThatLingersAndClosesBeforeItAcknowledgesHoldsUpNobody(String trust)
      throws Exception {
    try (TestReceiver good = TestReceiver.stream(dir.resolve("good"));
        TestAcknowledger evil = new TestAcknowledger(dir.resolve("evil"));
        Running running = new Running(config("acknowledged", trust))) {
      Socket _ = deafClient(running);
      Offered offered = evil.accept().greet(true, 10).next();
      assertThat(evil.claim(offered)).isTrue();
      evil.forget(offered);
      fillAndClose(offered.fd());
      evil.ack(1, 10);
      Tests.await("it is passed", () -> running.count(Outcome.PASSED) == 1);

      assertThatOthersAreServed(good, running);
      assertThat(running.count(Counter.CLOSED_ASIDE)).isEqualTo(1);
    }
  }

  /** By a plain method it has the connection a moment before the proxy closes its own copy. */
  @ParameterizedTest
  @ValueSource(strings = {"once auto", "persistent auto", "persistent never", "datagram auto"})
  void aReceiverThatLingersAndIsFasterThanTheProxyHoldsUpNobody(String how) throws Exception {
    String method = how.substring(0, how.indexOf(' '));
    Interrupted interrupted = new Interrupted();
    try (TestReceiver good = TestReceiver.stream(dir.resolve("good"));
        TestReceiver evil =
            method.equals("datagram")
                ? TestReceiver.datagram(dir.resolve("evil"))
                : TestReceiver.stream(dir.resolve("evil"));
        Running running =
            new Running(config(method, how.substring(how.indexOf(' ') + 1)), interrupted)) {
      interrupted.action = () -> fillAndClose(evil.take());
      interrupted.after = "sendmsg";
      Socket _ = deafClient(running);
      Tests.await("it is passed", () -> running.count(Outcome.PASSED) == 1);

      assertThatOthersAreServed(good, running);
      assertThat(running.count(Counter.CLOSED_ASIDE)).isEqualTo(1);
    }
  }

  /**
   * By a plain method not every connection is looked at. If one lingers that was not, the loop is
   * got out, and looks from then on.
   */
  @Test
  void aTrustedReceiverThatLingersUnseenIsKnownAfterTheFirstTime() throws Exception {
    Interrupted interrupted = new Interrupted();
    try (TestReceiver good = TestReceiver.stream(dir.resolve("good"));
        TestReceiver evil = TestReceiver.stream(dir.resolve("evil"));
        Running running = new Running(config("persistent", "auto"), interrupted)) {
      for (int i = 0; i < 40; i++) {
        interrupted.action = () -> LockSupport.parkNanos(100_000);
        interrupted.after = "sendmsg";
        ask(running.connect(), "evil.example");
        evil.answer(evil.take(), "hello");
        int passed = i + 1;
        Tests.await("it is passed", () -> running.count(Outcome.PASSED) == passed);
      }
      assertThat(interrupted.looks.get()).isBetween(8, 9);

      for (int i = 0; i < 3; i++) {
        interrupted.action = () -> fillAndClose(evil.take());
        interrupted.after = "sendmsg";
        Socket _ = deafClient(running);
        int passed = 41 + 2 * i;
        Tests.await("it is passed", () -> running.count(Outcome.PASSED) == passed);
        assertThatOthersAreServed(good, running);
      }
      assertThat(running.count(Counter.CLOSED_ASIDE)).isEqualTo(2);
    }
  }

  /**
   * A receiver that is not trusted can hold the lock of a socket that it shares, in a send(2) from
   * memory that is slow to come. So the loop makes no call on it any more, close(2) neither,
   * whatever becomes of the connection.
   */
  @ParameterizedTest
  @ValueSource(strings = {"acknowledges", "gives it back", "dies with it", "hangs"})
  void theLoopTouchesNothingThatAnUntrustedReceiverHasHad(String end) throws Exception {
    Interrupted interrupted = new Interrupted();
    String how = "never, ack-timeout: 1s, hand-off-timeout: 2s";
    try (TestAcknowledger evil = new TestAcknowledger(dir.resolve("evil"));
        Running running = new Running(config("acknowledged", how), interrupted)) {
      ask(running.connect(), "evil.example");
      evil.accept().greet(!end.equals("dies with it"), 1);
      Offered offered = evil.next();
      interrupted.watchAccepted = true;
      switch (end) {
        case "acknowledges" -> evil.ack(1, 1);
        case "gives it back" -> {
          evil.refuse(0);
          evil.ack(1, 1);
        }
        case "dies with it" -> evil.end();
        default -> {
          // Taken back, and refused when its time is up.
        }
      }
      Tests.await("it has ended", () -> running.count(Counter.CLOSED_ASIDE) == 1);

      assertThat(interrupted.onAccepted).isEmpty();
      evil.close(offered);
    }
  }

  /**
   * One that is trusted sets it between the proxy's look and its close, so that the loop does wait:
   * it is noticed, said, and ended.
   */
  @Test
  void aLoopThatWaitsInCloseIsGotOut() throws Exception {
    assertThatALoopThatWaitsInCloseIsGotOut();
  }

  private void assertThatALoopThatWaitsInCloseIsGotOut() throws Exception {
    Interrupted interrupted = new Interrupted();
    try (TestReceiver good = TestReceiver.stream(dir.resolve("good"));
        TestAcknowledger evil = new TestAcknowledger(dir.resolve("evil"));
        Running running = new Running(config("acknowledged", "always"), interrupted)) {
      Socket _ = deafClient(running);
      Offered offered = evil.accept().greet(true, 10).next();
      assertThat(evil.claim(offered)).isTrue();
      evil.forget(offered);
      interrupted.action = () -> fillAndClose(offered.fd());
      interrupted.after = "getLinger";
      evil.ack(1, 10);
      Tests.await("it is passed", () -> running.count(Outcome.PASSED) == 1);

      assertThatOthersAreServed(good, running);
      assertThat(running.count(Counter.CLOSED_ASIDE)).isZero();
    }
  }

  /** Who starts the program may have signals blocked, and threads inherit that. */
  @Test
  void aLoopIsGotOutThoughTheSignalForThatWasBlockedWhereItWasStarted() throws Exception {
    long signal = SignalCalls.setOf(Linux.SIGURG);
    assertThat(SignalCalls.block(signal)).isZero();
    try {
      assertThatALoopThatWaitsInCloseIsGotOut();
    } finally {
      SignalCalls.unblock(signal);
    }
  }

  /** Whatever a loop waits for, an operator can see that it does, and in which call. */
  @Test
  void aLoopThatStandsStillIsSeenAndSaid() throws Exception {
    Interrupted interrupted = new Interrupted();
    try (TestReceiver good = TestReceiver.stream(dir.resolve("good"));
        Running running = new Running(config("persistent", "auto"), interrupted)) {
      Fd never = Fd.of(kernel.eventfd(0, Linux.EFD_CLOEXEC));
      Kernel loops = LinuxKernel.open();
      interrupted.action =
          () -> Tests.await("it is seen", () -> loops.poll(never, Linux.POLLIN, 30_000) == 1);
      interrupted.after = "accept4";
      Socket client = ask(running.connect(), "good.example");
      Tests.await("it is seen", () -> !running.proxy.status().stalls().isEmpty());

      assertThat(running.proxy.status().stalls())
          .singleElement()
          .satisfies(stall -> {
            assertThat(stall.thread()).isEqualTo("loop-0");
            assertThat(stall.call()).startsWith("poll(2), called by ");
            assertThat(stall.millis()).isGreaterThanOrEqualTo(100);
            assertThat(stall.over()).isFalse();
          });
      kernel.eventfdWrite(never, 1);
      good.answer(good.take(), "hello");
      assertThat(client.getInputStream().readAllBytes()).asString().isEqualTo("hello");
      Tests.await("it is over", () -> running.proxy.status().stalls().getFirst().over());
      assertThat(running.count(Counter.STOOD_STILL)).isPositive();
      kernel.close(never);
    }
  }
}
