package dev.peekpass.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.peekpass.cli.stage.HandedDown;
import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.proxy.admin.AdminClient;
import dev.peekpass.proxy.admin.CarriedTakeover;
import dev.peekpass.proxy.admin.Takeover;
import dev.peekpass.proxy.admin.TakeoverTimes;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.config.ConfigurationReader;
import dev.peekpass.proxy.confine.Bounds;
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
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.LoggerFactory;

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

  private static final TakeoverTimes TIMES =
      new TakeoverTimes(Duration.ofSeconds(5), Duration.ofSeconds(2));

  @TempDir private Path dir;

  /** Counts the calls of the thread that starts a proxy, and fails one of them. */
  private static final class Shortage {
    private final Thread starting = Thread.currentThread();
    private final AtomicInteger calls = new AtomicInteger();
    private final int failing;
    private final int errno;
    private String failed = "";
    private boolean over;

    /** From when on there is no descriptor for what shall be made. */
    private boolean full;

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
                if (full && method.getName().equals("eventfd")) {
                  return -errno;
                }
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
    return new Start(configuration(), shortage::open, options(null, takeover, step -> {}));
  }

  private static Start.Options options(
      @Nullable HandedDown handed, boolean takeover, Consumer<Start.Step> observer) {
    return new Start.Options(
        handed,
        takeover ? "" : null,
        () -> ConfigurationReader.read("a.yaml", ""),
        "a.yaml",
        (lines, length, givesUp) -> 0,
        Map.of(),
        TIMES,
        observer);
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

  /** Those that the running proxy's side logs, and what a test waits for in them. */
  private static final class Told implements AutoCloseable {
    private final Logger log = (Logger) LoggerFactory.getLogger("dev.peekpass.proxy.admin");
    private final ListAppender<ILoggingEvent> appender = new ListAppender<>();

    Told() {
      appender.list = new CopyOnWriteArrayList<>();
      appender.start();
      log.addAppender(appender);
    }

    void await(String text) {
      long began = System.nanoTime();
      while (appender.list.stream().noneMatch(one -> one.getFormattedMessage().contains(text))) {
        assertThat(System.nanoTime() - began).as("%s", appender.list).isLessThan(9_000_000_000L);
        Thread.onSpinWait();
      }
    }

    @Override
    public void close() {
      log.detachAppender(appender);
    }
  }

  /**
   * Whatever fails in the second program of a start is told to the running proxy, whose log is
   * where somebody looks later.
   */
  @ParameterizedTest
  @EnumSource(
      value = Start.Step.class,
      names = {"LOAD", "ASK", "ADMIN", "BIND", "ANSWER", "CONFINE", "READY"})
  void whatFailsInASecondProgramIsToldToTheOldOne(Start.Step step) throws Exception {
    Start old = old();
    try (Told told = new Told()) {
      Optional<String> admin = Optional.of(dir.resolve("admin.sock").toString());
      CarriedTakeover carried = Takeover.begin(LinuxKernel.open(), admin.get(), TIMES).carry();
      Start.Options options =
          options(
              new HandedDown("", List.of(), admin, Optional.of(carried), Bounds.NONE),
              true,
              at -> {
                if (at == step) {
                  throw new IllegalStateException("the fault of this test");
                }
              });
      try (Start young = new Start(configuration(), LinuxKernel::open, options)) {
        assertThatThrownBy(() -> prepareAndServe(young)).hasMessage("the fault of this test");
      }
      told.await("given up: it refuses: the fault of this test; going on");
      assertServes(old, "after " + step);
    } finally {
      end(old);
    }
  }

  @Test
  void thatThereIsNoRoomForChannelsIsSaidAndTold() throws Exception {
    Start old = old();
    try (Told told = new Told()) {
      Shortage shortage = new Shortage(0, Errno.EMFILE);
      Start.Options options = options(null, true, step -> shortage.full = step == Start.Step.READY);
      try (Start young = new Start(configuration(), shortage::open, options)) {
        assertThatThrownBy(() -> prepareAndServe(young))
            .isInstanceOf(IOException.class)
            .hasMessageMatching(
                "\\d+ descriptors for channels and connections: EMFILE: raise the limit .*");
      }
      told.await("descriptors for channels and connections: EMFILE: raise the limit of open files");
      told.await("; going on");
      assertServes(old, "after that");
    } finally {
      end(old);
    }
  }

  private static void prepareAndServe(Start start) throws IOException {
    start.prepare();
    start.serve();
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
