package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.proxy.TestAcknowledger.Offered;
import dev.peekpass.proxy.Tests.Running;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.Outcome;
import java.io.IOException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Who may have a connection that a receiver of some user was offered before. */
class TrustTest {
  @TempDir private Path dir;
  private final List<Socket> clients = new ArrayList<>();

  @AfterEach
  void closeClients() throws IOException {
    for (Socket client : clients) {
      client.close();
    }
  }

  /** The real kernel, but for whose the receivers are: by the names of their sockets. */
  private static final class Users implements Supplier<Kernel> {
    private final Map<String, Integer> byName;
    private final Map<Integer, String> connected = new ConcurrentHashMap<>();

    Users(Map<String, Integer> byName) {
      this.byName = byName;
    }

    @Override
    public Kernel get() {
      Kernel real = LinuxKernel.open();
      return (Kernel)
          Proxy.newProxyInstance(
              Kernel.class.getClassLoader(),
              new Class<?>[] {Kernel.class},
              (self, method, arguments) -> call(real, method, arguments));
    }

    private Object call(Kernel real, Method method, @Nullable Object[] arguments)
        throws ReflectiveOperationException {
      Object result = method.invoke(real, arguments);
      if (method.getName().equals("connect") && arguments[0] instanceof Fd fd) {
        String path = String.valueOf(arguments[1]);
        connected.put(fd.number(), path.substring(path.lastIndexOf('/') + 1));
      }
      if (method.getName().equals("peerUid") && arguments[0] instanceof Fd fd) {
        return byName.getOrDefault(connected.getOrDefault(fd.number(), ""), 0);
      }
      return result;
    }
  }

  private String config(String first, String more) {
    return """
    threads: 1
    access-log: true
    listeners: [ { bind: "127.0.0.1:0", defer-accept: false } ]
    backends:
      shop: { handoff: [%s], ack-timeout: 50ms, %s }
      other: { handoff: "unix:%s", method: %s }
    routes: [ { host: shop.example, backend: shop } ]
    """
        .formatted(
            first,
            more.substring(0, more.indexOf('|')),
            dir.resolve("other"),
            more.substring(more.indexOf('|') + 1));
  }

  private String unix(String name) {
    return "\"unix:" + dir.resolve(name) + "\"";
  }

  private Socket ask(Running running) throws IOException {
    Socket client = running.connect();
    clients.add(client);
    client.setSoTimeout(30_000);
    client
        .getOutputStream()
        .write("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
    return client;
  }

  /** It has its answer; the end does not come while a receiver that hangs has a descriptor. */
  private static void assertAnswered(Socket client) throws IOException {
    assertThat(client.getInputStream().readNBytes(5)).asString().isEqualTo("hello");
  }

  /** One connection that only some receivers may have does not keep others from the rest. */
  @Test
  void whoMayHaveAConnectionIsWaitedForApartFromTheOthers() throws Exception {
    Users users = new Users(Map.of("a", 1001, "b", 1002));
    String yaml = config(unix("a") + ", " + unix("b"), "hand-off-timeout: 1m|persistent");
    try (TestAcknowledger hangs = new TestAcknowledger(dir.resolve("a"));
        TestReceiver other = TestReceiver.stream(dir.resolve("b"));
        Running running = new Running(yaml, users)) {
      hangs.accept().greet(true, 100);
      Socket bound = ask(running);
      for (int i = 0; running.count(Counter.TAKEN_BACK) == 0; i++) {
        // Those that are taken by the other before.
        Fd fd = other.poll();
        if (fd != null) {
          other.answer(fd, "hello");
          bound = ask(running);
        }
        assertThat(i).isLessThan(1_000_000);
        Thread.sleep(1);
      }

      for (int i = 0; i < 5; i++) {
        Socket client = ask(running);
        other.answer(other.take(), "hello");
        assertAnswered(client);
      }
      assertThat(running.count(Counter.WITHHELD)).isZero();
      do {
        // Behind those by which the proxy has looked whether another process has the path.
        hangs.end();
        hangs.accept();
      } while (hangs.isEnded());
      hangs.greet(true, 100);
      Offered offered = hangs.next();
      hangs.ack(1, 100);
      hangs.answer(offered, "hello");
      assertAnswered(bound);
    }
  }

  /** What goes on to a backend of another user is refused, unless the first one is trusted. */
  @ParameterizedTest
  @ValueSource(strings = {"auto", "always"})
  void whatOneUserMayHaveKeptGoesToAnotherOnlyIfThatOneIsTrusted(String trust) throws Exception {
    Users users = new Users(Map.of("a", 1001, "other", 1002));
    String more = "backup: other, hand-off-timeout: 100ms, trust: " + trust + "|persistent";
    try (TestAcknowledger hangs = new TestAcknowledger(dir.resolve("a"));
        TestReceiver other = TestReceiver.stream(dir.resolve("other"));
        Running running = new Running(config(unix("a"), more), users)) {
      hangs.accept().greet(true, 100);
      Socket client = ask(running);
      hangs.next();
      if (trust.equals("always")) {
        other.answer(other.take(), "hello");
        assertAnswered(client);
        assertThat(running.count(Counter.WITHHELD)).isZero();
      } else {
        Tests.await("it is refused", () -> running.count(Outcome.REFUSED_UNAVAILABLE) == 1);
        assertThat(running.count(Counter.WITHHELD)).isPositive();
        Tests.await("it is logged", () -> running.log().contains("reason=\"withheld: "));
        assertThat(other.poll()).isNull();
      }
    }
  }

  /** Whose the backup's receiver is may be known only once it has been connected to. */
  @ParameterizedTest
  @ValueSource(strings = {"once", "persistent"})
  void aReceiverOfTheSameUserHasItWhateverItsMethod(String method) throws Exception {
    Users users = new Users(Map.of("a", 1001, "other", 1001));
    String more = "backup: other, hand-off-timeout: 10s|" + method;
    try (TestAcknowledger hangs = new TestAcknowledger(dir.resolve("a"));
        TestReceiver other = TestReceiver.stream(dir.resolve("other"));
        Running running = new Running(config(unix("a"), more), users)) {
      hangs.accept().greet(true, 100);
      Socket client = ask(running);
      hangs.next();
      other.answer(other.take(), "hello");
      assertAnswered(client);
      assertThat(running.count(Counter.WITHHELD)).isZero();
    }
  }
}
