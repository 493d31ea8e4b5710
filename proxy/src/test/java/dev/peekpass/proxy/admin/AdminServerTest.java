package dev.peekpass.proxy.admin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.proxy.Proxy;
import dev.peekpass.proxy.config.ConfigurationReader;
import dev.peekpass.proxy.config.Mistake;
import dev.peekpass.proxy.confine.Confinement;
import dev.peekpass.proxy.systemd.Notifier;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AdminServerTest {
  private static final String YAML =
      """
      listeners:
        - { bind: "127.0.0.1:0" }
      backends:
        shop: { handoff: "unix:/nowhere" }
      routes:
        - { host: shop.example, backend: shop }
      """;

  /** Short enough to wait for. */
  private static final TakeoverTimes TIMES =
      new TakeoverTimes(Duration.ofMillis(600), Duration.ofMillis(300));

  @TempDir private Path dir;
  private final Kernel kernel = LinuxKernel.open();
  private Proxy proxy;
  private AdminServer server;
  private Operations operations;
  private volatile String text = YAML;
  private volatile @Nullable Error fault;
  private volatile boolean noThreads;

  @BeforeEach
  void start() throws IOException {
    var valid = (ConfigurationReader.Valid) ConfigurationReader.read("a.yaml", YAML);
    proxy = Proxy.start(valid.configuration(), LinuxKernel::open, (lines, length, givesUp) -> 0);
    operations =
        new Operations(
            proxy,
            () -> {
              Error thrown = fault;
              if (thrown != null) {
                throw thrown;
              }
              return text.isEmpty()
                  ? ConfigurationReader.Mistakes.unreadable(
                      new Mistake("a.yaml", 1, 1, "this user may not read it", "let it"))
                  : ConfigurationReader.read("a.yaml", text);
            },
            new Notifier(LinuxKernel::open, Map.of()),
            "a.yaml",
            "0",
            Confinement.none());
    server =
        AdminServer.prepare(
            LinuxKernel::open,
            operations,
            AdminSocket.open(kernel, path(), false),
            TIMES,
            work -> {
              if (noThreads) {
                throw new OutOfMemoryError("unable to create native thread");
              }
              return Thread.ofPlatform().daemon().unstarted(work);
            });
    server.open();
  }

  @AfterEach
  void stop() throws InterruptedException {
    server.close();
    proxy.stop();
    assertThat(proxy.await()).isTrue();
    assertThat(dir).isEmptyDirectory();
  }

  private String path() {
    return dir.resolve("admin.sock").toString();
  }

  private SocketChannel connect() throws IOException {
    SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
    channel.connect(UnixDomainSocketAddress.of(path()));
    return channel;
  }

  private static void write(SocketChannel channel, String line) throws IOException {
    channel.write(ByteBuffer.wrap(line.getBytes(StandardCharsets.UTF_8)));
  }

  private static String read(SocketChannel channel) throws IOException {
    return new String(Channels.newInputStream(channel).readAllBytes(), StandardCharsets.UTF_8);
  }

  @Test
  void everyRequestGetsALineOfJson() throws IOException {
    assertThat(AdminClient.ask(kernel, path(), "drain shop")).isEqualTo("{\"ok\":true}");
    assertThat(AdminClient.ask(kernel, path(), "status"))
        .contains("\"name\":\"shop\",\"state\":\"drained\"");
    assertThat(AdminClient.ask(kernel, path(), "undrain shop")).isEqualTo("{\"ok\":true}");
    assertThat(AdminClient.ask(kernel, path(), "drain \"\\\u00fc"))
        .startsWith("{\"ok\":false,\"error\":\"no backend is named \\\"\\\"\\\\\u00fc\\\": ");
    assertThat(AdminClient.ask(kernel, path(), "shutdown"))
        .contains("\"ok\":false", "write status");
    assertThat(AdminClient.ask(kernel, path(), "takeover 3")).contains("knows version 2");
    assertThat(AdminClient.ask(kernel, path(), "reload"))
        .isEqualTo("{\"ok\":true,\"warnings\":[],\"notes\":[]}");
    text = YAML.replace("shop }", "shpo }");
    assertThat(AdminClient.ask(kernel, path(), "reload"))
        .contains(
            "\"ok\":false",
            "\"error\":\"the configuration has mistakes, and nothing has changed: correct them\"",
            "\"mistakes\":[\"a.yaml:6:",
            "shpo");
    text = "";
    assertThat(AdminClient.ask(kernel, path(), "reload"))
        .isEqualTo(
            "{\"ok\":false,\"error\":\"the configuration cannot be read, and nothing has changed\","
                + "\"mistakes\":[\"a.yaml:1:1: this user may not read it, let it\"]}");
  }

  @Test
  void aRequestInPiecesIsARequest() throws IOException {
    try (SocketChannel channel = connect()) {
      write(channel, "sta");
      write(channel, "tus\n");
      assertThat(read(channel)).startsWith("{\"ok\":true,").endsWith("}\n");
    }
  }

  @Test
  void junkEndsWithItsConnection() throws IOException {
    try (SocketChannel channel = connect()) {
      write(channel, "x".repeat(2 * LineBytes.REQUEST));
      assertThat(read(channel)).contains("\"ok\":false");
    }
    assertThat(AdminClient.ask(kernel, path(), "status")).startsWith("{\"ok\":true,");
  }

  @Test
  void aRequestThatIsTooLongIsRefusedInOnePieceAsInMany() throws IOException {
    try (SocketChannel channel = connect()) {
      write(channel, "drain " + "x".repeat(LineBytes.REQUEST) + "\n");
      assertThat(read(channel)).contains("\"ok\":false", "has over 256 bytes");
    }
    try (SocketChannel channel = connect()) {
      write(channel, "drain " + "x".repeat(LineBytes.REQUEST));
      assertThat(read(channel)).contains("\"ok\":false", "has over 256 bytes");
    }
  }

  @Test
  void silentClientsAreLimitedInNumberAndTime() throws IOException {
    List<SocketChannel> silent = new ArrayList<>();
    try {
      for (int i = 0; i < AdminServer.MAX_CONNECTIONS; i++) {
        silent.add(connect());
      }
      assertThat(AdminClient.ask(kernel, path(), "status")).contains("8 requests are under way");
      for (SocketChannel channel : silent) {
        assertThat(read(channel)).as("after its time").isEmpty();
      }
    } finally {
      for (SocketChannel channel : silent) {
        channel.close();
      }
    }
    String answer = AdminClient.ask(kernel, path(), "status");
    while (answer.contains("under way")) {
      answer = AdminClient.ask(kernel, path(), "status");
    }
    assertThat(answer).startsWith("{\"ok\":true,");
  }

  @Test
  void aTakeoverThatIsGivenUpChangesNothingAndIsToldWhy() throws IOException {
    for (String last : List.of("unwanted 7", "unwanted x", "hello")) {
      try (Takeover takeover = Takeover.begin(kernel, path(), TIMES)) {
        assertThat(takeover.takeAdminSocket("/elsewhere")).isEmpty();
      }
      try (SocketChannel channel = connect()) {
        write(channel, "takeover 2\n" + last + "\n");
        assertThat(read(channel))
            .endsWith(
                "end\nerror the takeover was given up: it says something that is not in the protocol\n");
      }
    }
    try (SocketChannel channel = connect()) {
      write(channel, "takeover 2\n");
      assertThat(read(channel)).endsWith("given up: it was not ready within 600 ms\n");
    }
    try (SocketChannel channel = connect()) {
      write(channel, "takeover 2\nrefused it may not\n");
      assertThat(read(channel)).endsWith("given up: it refuses: it may not\n");
    }
    try (Takeover takeover = Takeover.begin(kernel, path(), TIMES)) {
      assertThat(takeover.oldUid()).isEqualTo(kernel.geteuid());
      // It crosses to another program, and says there why it cannot go on.
      takeover.refuse("no room\nfor it" + "x".repeat(1000));
    }
    try (SocketChannel channel = connect()) {
      write(channel, "takeover 2\n");
      channel.shutdownOutput();
      assertThat(read(channel)).endsWith("given up: it ended before it was ready\n");
    }
    assertGoesOn();
  }

  @Test
  void whoeverListensNoMoreIsNotTold() throws IOException {
    try (SocketChannel channel = connect()) {
      write(channel, "takeover 2\n");
      BufferedReader in = new BufferedReader(Channels.newReader(channel, StandardCharsets.UTF_8));
      String line = in.readLine();
      while (!line.equals("end")) {
        line = in.readLine();
      }
      channel.shutdownInput();
      write(channel, "ready admin\n");
      // It has given up once another may change something.
      assertGoesOn();
    }
  }

  /** Another request waits for its turn until the takeover is over. */
  private void assertGoesOn() throws IOException {
    assertThat(AdminClient.ask(kernel, path(), "reload")).startsWith("{\"ok\":true,");
    assertThat(AdminClient.ask(kernel, path(), "drain shop")).isEqualTo("{\"ok\":true}");
    assertThat(server.socket().isFound()).isTrue();
  }

  @Test
  void aProcessOfTheFirstVersionTakesOver() throws Exception {
    try (SocketChannel channel = connect()) {
      write(channel, "takeover 1\nready\n");
      assertThat(read(channel)).endsWith("end\ntaken\n");
    }
    assertThat(proxy.await()).isTrue();
  }

  @Test
  void aRequestThatEndsInAFaultIsAnsweredWithAnError() throws IOException {
    for (Error thrown :
        List.of(
            new NoClassDefFoundError("dev/peekpass/Gone"),
            new StackOverflowError(),
            new OutOfMemoryError("Java heap space"))) {
      fault = thrown;
      assertThat(AdminClient.ask(kernel, path(), "reload"))
          .startsWith("{\"ok\":false,\"error\":\"")
          .contains(thrown.toString(), "see the proxy's log");
    }
    fault = null;
    assertThat(AdminClient.ask(kernel, path(), "reload")).startsWith("{\"ok\":true,");
  }

  @Test
  void withoutThreadsEveryRequestIsToldSoAndNoneIsKept() throws IOException {
    noThreads = true;
    for (int i = 0; i < 3 * AdminServer.MAX_CONNECTIONS; i++) {
      assertThat(AdminClient.ask(kernel, path(), "status"))
          .contains("\"ok\":false", "ulimit -u, TasksMax=");
    }
    noThreads = false;
    assertThat(AdminClient.ask(kernel, path(), "status")).startsWith("{\"ok\":true,");
  }

  @Test
  void aServerThatGetsNoThreadOfItsOwnLeavesNothingOpen() throws IOException {
    String other = dir.resolve("other.sock").toString();
    AdminSocket socket = AdminSocket.open(kernel, other, false);
    long before = descriptors();
    assertThatThrownBy(() ->
            AdminServer.prepare(
                LinuxKernel::open,
                operations,
                socket,
                TIMES,
                work -> {
                  throw new OutOfMemoryError("unable to create native thread");
                }))
        .hasMessageContaining("create a thread for the admin socket: EAGAIN: raise the limit");
    assertThat(descriptors()).isEqualTo(before - 1);
    assertThat(Path.of(other)).doesNotExist();
  }

  private static long descriptors() throws IOException {
    try (var all = Files.list(Path.of("/proc/self/fd"))) {
      return all.count();
    }
  }

  @Test
  void afterItsEndItWritesToNoDescriptorThatIsSomebodyElsesByThen() throws IOException {
    server.close();
    // Whatever takes the numbers that have become free.
    List<Fd> others = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      others.add(Fd.of(kernel.eventfd(0, Linux.EFD_CLOEXEC | Linux.EFD_NONBLOCK)));
    }
    server.abandon();
    server.close();
    assertThat(server.socket().duplicate(kernel)).isEqualTo(-Errno.EBADF);
    for (Fd other : others) {
      assertThat(kernel.eventfdRead(other)).as("nobody wrote").isEqualTo(-Errno.EAGAIN);
      assertThat(kernel.close(other)).isZero();
    }
  }

  @Test
  void nothingIsReplacedThatIsNoDeadSocket() throws IOException {
    assertThatThrownBy(() -> AdminSocket.open(kernel, path(), false))
        .hasMessageContaining("EADDRINUSE: process " + ProcessHandle.current().pid());
    Path file = Files.writeString(dir.resolve("file"), "precious");
    assertThatThrownBy(() -> AdminSocket.open(kernel, file.toString(), false))
        .hasMessageContaining("EADDRINUSE: something else is there");
    assertThat(file).hasContent("precious");
    Files.delete(file);
    String deep = dir.resolve("no/such/admin.sock").toString();
    assertThatThrownBy(() -> AdminSocket.open(kernel, deep, false))
        .hasMessageContaining("create it or correct the path");
    assertThatThrownBy(() -> AdminSocket.open(kernel, "/" + "x".repeat(100), false))
        .hasMessageContaining("write a shorter path");
  }
}
