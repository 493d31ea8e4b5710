package dev.peekpass.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.proxy.admin.AdminClient;
import dev.peekpass.proxy.admin.TakeoverTimes;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.config.ConfigurationReader;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A takeover in which one call of the new process fails, each in turn: either it takes over all the
 * same, or it leaves everything as it was and says what was short.
 */
class StartShortageTest {
  /** What makes descriptors; the others can be short of memory only. */
  private static final Set<String> MAKE_DESCRIPTORS =
      Set.of("socket", "epollCreate1", "eventfd", "fcntl");

  /** They need none. */
  private static final Set<String> NEVER_FAIL =
      Set.of(
          "close",
          "nanoTime",
          "geteuid",
          "getrlimit",
          "getsockopt",
          "getsockname",
          "shutdown",
          "peerCredentials");

  @TempDir private Path dir;

  /** Counts the calls of the thread that starts a proxy, and fails one of them. */
  private static final class Shortage {
    private final Thread starting = Thread.currentThread();
    private final AtomicInteger calls = new AtomicInteger();
    private final int failing;
    private final int errno;
    private String failed = "";
    private boolean over;

    Shortage(int failing, int errno) {
      this.failing = failing;
      this.errno = errno;
    }

    Kernel open() {
      Kernel real = LinuxKernel.open();
      return (Kernel)
          Proxy.newProxyInstance(
              Kernel.class.getClassLoader(),
              new Class<?>[] {Kernel.class},
              (self, method, arguments) -> {
                boolean counts =
                    !over
                        && Thread.currentThread() == starting
                        && (errno == Errno.EMFILE
                            ? MAKE_DESCRIPTORS.contains(method.getName())
                            : !NEVER_FAIL.contains(method.getName()));
                if (counts && calls.incrementAndGet() == failing) {
                  failed = method.getName();
                  return -errno;
                }
                try {
                  return method.invoke(real, arguments);
                } catch (InvocationTargetException e) {
                  throw e.getCause();
                }
              });
    }
  }

  private Configuration configuration() {
    String yaml =
        """
        admin: "unix:%s"
        threads: 2
        listeners:
          - { bind: "127.0.0.1:0" }
        backends:
          shop: { handoff: "unix:/nowhere" }
        routes:
          - { host: shop.example, backend: shop }
        """
            .formatted(dir.resolve("admin.sock"));
    return ((ConfigurationReader.Valid) ConfigurationReader.read("a.yaml", yaml)).configuration();
  }

  private Start start(Shortage shortage, boolean takeover) {
    return new Start(
        configuration(),
        shortage::open,
        new Start.Options(
            null,
            takeover ? "" : null,
            () -> ConfigurationReader.read("a.yaml", ""),
            "a.yaml",
            (lines, length, givesUp) -> 0,
            Map.of(),
            new TakeoverTimes(Duration.ofSeconds(5), Duration.ofSeconds(2)),
            step -> {}));
  }

  private Start old() throws IOException {
    Start old = start(new Shortage(0, Errno.EMFILE), false);
    old.prepare();
    old.serve();
    return old;
  }

  private static void end(Start start) throws InterruptedException {
    start.stop();
    assertThat(start.proxy().await()).isTrue();
    start.close();
  }

  private static long descriptors() throws IOException {
    try (var all = Files.list(Path.of("/proc/self/fd"))) {
      return all.count();
    }
  }

  private long accepted(Start start) {
    return start.proxy().counts().entrySet().stream()
        .filter(count -> count.getKey().name().equals("ACCEPTED"))
        .mapToLong(Map.Entry::getValue)
        .sum();
  }

  private void assertServes(Start server, String as) throws IOException {
    long before = accepted(server);
    String address = server.proxy().addresses().getFirst();
    int port = Integer.parseInt(address.substring(address.lastIndexOf(':') + 1));
    for (int i = 0; i < 4; i++) {
      try (Socket client = new Socket(InetAddress.getLoopbackAddress(), port)) {
        client.setSoTimeout(20_000);
        client
            .getOutputStream()
            .write("GET / HTTP/1.1\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
        assertThat(client.getInputStream().readAllBytes()).as(as).isNotEmpty();
      }
    }
    assertThat(accepted(server) - before).as(as).isEqualTo(4);
    String admin = dir.resolve("admin.sock").toString();
    assertThat(AdminClient.ask(LinuxKernel.open(), admin, "status")).as(as).contains("\"ok\":true");
  }

  @ParameterizedTest
  @ValueSource(ints = {Errno.EMFILE, Errno.ENOMEM})
  void oneCallThatFailsLeavesOneProcessServing(int errno) throws Exception {
    List<String> survived = new ArrayList<>();
    List<String> ended = new ArrayList<>();
    Start old = old();
    assertServes(old, "at first");
    long descriptors = descriptors();
    String last = "-";
    for (int n = 1; !last.isEmpty(); n++) {
      Shortage shortage = new Shortage(n, errno);
      Start young = start(shortage, true);
      String message = "";
      try {
        young.prepare();
        young.serve();
        shortage.over = true;
      } catch (IOException e) {
        message = String.valueOf(e.getMessage());
        young.close();
      }
      last = shortage.failed;
      String as = "call " + n + ", " + last + ": " + message;
      if (message.isEmpty()) {
        assertThat(old.proxy().await()).as(as).isTrue();
        old.close();
        assertServes(young, as);
        end(young);
        assertThat(dir.resolve("admin.sock")).as(as).doesNotExist();
        survived.add(last);
        old = old();
      } else {
        assertThat(message).as(as).contains(Errno.name(errno));
        awaitDescriptors(descriptors, as);
        assertServes(old, as);
        ended.add(last);
      }
    }
    end(old);
    assertThat(ended).hasSizeGreaterThan(8);
    assertThat(survived).contains("");
  }

  /** The other side of a connection closes its own a little later, and so do threads that end. */
  private static void awaitDescriptors(long expected, String as) throws Exception {
    long start = System.nanoTime();
    while (descriptors() > expected) {
      assertThat(System.nanoTime() - start)
          .as("%s: descriptors are lost", as)
          .isLessThan(9_000_000_000L);
      Thread.onSpinWait();
    }
  }
}
