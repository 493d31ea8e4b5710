package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestReporter;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A proxy that is reloaded, drained, taken over, started by systemd and told to stop. */
@Tag("processes")
class OperationsTest {
  private static final String HOST = "shop.example.test";
  private static final String BODY = "<h1>the shop</h1>\n";

  /** {@code ./test --long} has ten minutes of reloads, a hundred a second. */
  private static final boolean LONG = Boolean.getBoolean("peekpass.long");

  private static final int RELOADS = LONG ? 60_000 : 300;
  private static final int TAKEOVERS = LONG ? 100 : 20;

  @TempDir private Path dir;
  private Running server;

  @BeforeEach
  void startServer() throws IOException {
    // Another user must be able to get as far as the socket itself.
    Files.setPosixFilePermissions(dir, PosixFilePermissions.fromString("rwxr-xr-x"));
    Path site = Files.createDirectories(dir.resolve("site"));
    Files.writeString(site.resolve("index.html"), BODY);
    server =
        Running.peekpass(
            dir,
            "serve",
            "serve",
            site.toString(),
            "--handoff",
            "unix:" + dir.resolve("shop.sock"));
    server.awaitOutput("the socket is there", () -> Files.exists(dir.resolve("shop.sock")));
  }

  @AfterEach
  void stopServer() {
    server.close();
  }

  private Path admin() {
    return dir.resolve("admin.sock");
  }

  /** A configuration. */
  private String yaml(String binds, String backend, String more) {
    return Running.withAdmin(
        dir,
        """
        listeners:
          - { bind: [%s] }
        backends:
          shop: { handoff: "unix:%s"%s }
          nobody: { handoff: "unix:%s" }
        routes:
          - { host: %s, backend: shop }
        %s
        """
            .formatted(
                binds, dir.resolve("shop.sock"), backend, dir.resolve("nobody"), HOST, more));
  }

  private Path write(String yaml) throws IOException {
    return Files.writeString(dir.resolve("peekpass.yaml"), yaml);
  }

  private Running start(String name, String... more) throws IOException {
    List<String> arguments = new ArrayList<>(List.of("run", "-c", dir + "/peekpass.yaml"));
    arguments.addAll(List.of(more));
    Running proxy = Running.peekpass(dir, name, arguments.toArray(String[]::new));
    proxy.awaitOutput("it runs", () -> proxy.errors().contains("running as process"));
    return proxy;
  }

  private Running.Done command(String... arguments) throws IOException {
    try (Running running = Running.peekpass(dir, "command-" + System.nanoTime(), arguments)) {
      int status = running.await();
      return new Running.Done(status, running.output(), running.errors());
    }
  }

  /** What the admin socket answers, asked by hand. */
  private String ask(String request) throws IOException {
    try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
      channel.connect(UnixDomainSocketAddress.of(admin()));
      channel.write(ByteBuffer.wrap((request + "\n").getBytes(StandardCharsets.UTF_8)));
      byte[] answer = Channels.newInputStream(channel).readAllBytes();
      return new String(answer, StandardCharsets.UTF_8);
    }
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }

  private String get(int port) throws IOException {
    try (Socket client = new Socket(InetAddress.getLoopbackAddress(), port)) {
      return get(client);
    }
  }

  private static String get(Socket client) throws IOException {
    String head = "GET / HTTP/1.1\r\nHost: " + HOST + "\r\nConnection: close\r\n\r\n";
    client.getOutputStream().write(head.getBytes(StandardCharsets.US_ASCII));
    return new String(client.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
  }

  @Test
  @Timeout(value = 30, unit = TimeUnit.MINUTES)
  void hundredsOfReloadsUnderLoadLoseNoConnection(TestReporter reporter) throws Exception {
    int extra = freePort();
    // It is confined to the ports that it starts with.
    write(yaml("\"127.0.0.1:0\", \"127.0.0.1:" + extra + "\"", "", ""));
    try (Running proxy = start("proxy");
        Load load = new Load(proxy.port(0), HOST, BODY)) {
      for (int i = 0; i < RELOADS; i++) {
        // Something of every kind changes: an address, a backend, a route, an option.
        String binds = i % 3 == 0 ? "" : ", \"127.0.0.1:" + extra + "\"";
        String backend = i % 5 == 0 ? ", max-queue: 99" : "";
        String more = i % 2 == 0 ? "fallback: nobody" : "access-log: true";
        write(yaml("\"127.0.0.1:0\"" + binds, backend, more));
        assertThat(ask("reload")).startsWith("{\"ok\":true,");
      }
      long soFar = load.served();
      Running.await("more are served", () -> load.served() > soFar + 100);
      load.stop();

      assertThat(load.failures()).isEmpty();
      assertThat(load.served()).isGreaterThan(RELOADS / 10);
      reporter.publishEntry(load.served() + " connections through " + RELOADS + " reloads");
      assertThat(ask("status")).contains("\"reloads\":" + RELOADS, "\"failed\":0");
      assertThat(proxy.errors()).doesNotContain("ERROR", "fault");
      assertThat(proxy.stop()).isZero();
    }
  }

  @Test
  void anAddressThatGoesUnderLoadRefusesClientsButResetsNone() throws Exception {
    String kept = "\"127.0.0.1:0\"";
    String both = kept + ", \"127.0.0.1:" + freePort() + "\"";
    write(yaml(both, "", ""));
    try (Running proxy = start("proxy")) {
      for (int i = 0; i < 3; i++) {
        write(yaml(both, "", ""));
        assertThat(ask("reload")).startsWith("{\"ok\":true,");
        try (Load load = new Load(proxy.port(1), HOST, BODY)) {
          Running.await("it serves", () -> load.served() > 50);
          write(yaml(kept, "", ""));
          assertThat(ask("reload")).startsWith("{\"ok\":true,");
          Running.await("it is closed", () -> !load.failures().isEmpty());
          load.stop();
          assertThat(load.failures()).allMatch(failure -> failure.contains("Connection refused"));
        }
      }
      assertThat(proxy.stop()).isZero();
    }
  }

  @Test
  void aBadFileChangesNothingAndEveryMistakeIsSaid() throws Exception {
    String good = yaml("\"127.0.0.1:0\"", "", "");
    write(good);
    try (Running proxy = start("proxy")) {
      Path file = write(good.replace("backend: shop", "backend: shpo") + "thraeds: 2\n");
      Running.Done done = command("reload", "--admin", "unix:" + admin());

      assertThat(done.status()).isOne();
      assertThat(done.errors())
          .contains(file + ":7:", "\"shpo\"", "\"thraeds\"")
          .contains("peekpass: refused: ");
      // Where the file is needed to find the proxy, it is read here, and refused here.
      Running.Done here = command("reload", "-c", file.toString());
      assertThat(here.status()).isEqualTo(3);
      assertThat(here.errors()).contains("\"shpo\"", "the proxy was not asked", "--admin");
      proxy.hangUp();
      proxy.awaitOutput(
          "it is said twice", () -> proxy.errors().split("reload refused", -1).length == 3);
      assertThat(ask("status")).contains("\"reloads\":0");
      assertThat(get(proxy.port(0))).endsWith(BODY);

      write(good);
      proxy.hangUp();
      proxy.awaitOutput("it is reloaded", () -> proxy.errors().contains("reloaded; listening on"));
      assertThat(ask("status")).contains("\"reloads\":1");
      assertThat(command("reload", "-c", file.toString()).output()).isEqualTo("reloaded\n");
    }
  }

  @Test
  @Timeout(value = 30, unit = TimeUnit.MINUTES)
  void takeoversUnderLoadRefuseAndResetNothing(TestReporter reporter) throws Exception {
    write(yaml("\"127.0.0.1:0\"", "", ""));
    Running current = start("proxy-0");
    try (Load load = new Load(current.port(0), HOST, BODY)) {
      int port = current.port(0);
      for (int i = 1; i <= TAKEOVERS; i++) {
        long before = load.served();
        Running next = start("proxy-" + i, "--takeover");
        try (Running old = current) {
          current = next;
          assertThat(next.port(0)).isEqualTo(port);
          assertThat(old.await()).as(old.errors()).isZero();
        }
        Running.await("the new one serves", () -> load.served() > before + 20);
      }
      load.stop();

      assertThat(load.failures()).isEmpty();
      reporter.publishEntry(load.served() + " connections through " + TAKEOVERS + " takeovers");
      assertThat(current.errors()).contains("took over");
      assertThat(ask("status")).contains("\"pid\":" + current.process.pid());
      assertThat(current.stop()).isZero();
      assertThat(admin()).doesNotExist();
    } finally {
      current.close();
    }
  }

  @Test
  void aNewProcessThatCannotStartLeavesTheOldOneAsItWas() throws Exception {
    String good = yaml("\"127.0.0.1:0\"", "", "");
    write(good);
    try (Running proxy = start("proxy");
        ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        Load load = new Load(proxy.port(0), HOST, BODY)) {
      Path bad = write(good + "thraeds: 2\n");
      assertThat(command("run", "--takeover", "-c", bad.toString()).status()).isOne();
      write(yaml("\"127.0.0.1:0\", \"127.0.0.1:" + taken.getLocalPort() + "\"", "", ""));
      Running.Done done = command("run", "--takeover", "-c", bad.toString());
      assertThat(done.status()).isOne();
      assertThat(done.errors()).contains("EADDRINUSE");
      proxy.awaitOutput(
          "it goes on", () -> proxy.errors().contains("given up: it refuses: bind 127.0.0.1:"));
      write(good);
      assertThat(ask("reload")).startsWith("{\"ok\":true");
      load.stop();

      assertThat(load.failures()).isEmpty();
      assertThat(load.served()).isPositive();
      assertThat(get(proxy.port(0))).endsWith(BODY);
      assertThat(admin()).exists();
    }
  }

  @Test
  void aTakeoverFindsNobodyAndStartsAfresh() throws Exception {
    write(yaml("\"127.0.0.1:0\"", "", ""));
    try (Running proxy = start("proxy", "--takeover")) {
      assertThat(proxy.errors()).contains("no proxy answers at unix:" + admin());
      assertThat(get(proxy.port(0))).endsWith(BODY);
    }
  }

  @Test
  void drainAndUndrain() throws Exception {
    Path file = write(yaml("\"127.0.0.1:0\"", "", ""));
    try (Running proxy = start("proxy")) {
      Running.Done drained = command("drain", "shop", "-c", file.toString());
      assertThat(drained.status()).as(drained.errors()).isZero();
      assertThat(get(proxy.port(0))).startsWith("HTTP/1.1 503 ");
      Running.Done status = command("status", "-c", file.toString());
      assertThat(status.output()).containsPattern("backend +shop +drained");
      Running.Done undrained = command("undrain", "shop", "-c", file.toString());
      assertThat(undrained.output()).isEqualTo("no longer drained: shop\n");
      assertThat(get(proxy.port(0))).endsWith(BODY);

      Running.Done unknown = command("drain", "shpo", "-c", file.toString());
      assertThat(unknown.status()).isOne();
      assertThat(unknown.errors()).contains("no backend is named \"shpo\": write one of shop");
    }
  }

  @Test
  void statusIsOneJsonObjectAsDocumented() throws Exception {
    Path file = write(yaml("\"127.0.0.1:0\"", "", ""));
    try (Running proxy = start("proxy")) {
      assertThat(get(proxy.port(0))).endsWith(BODY);
      Running.Done done = command("status", "--json", "-c", file.toString());

      assertThat(done.status()).isZero();
      assertThat(done.output().lines()).hasSize(1);
      String document = Files.readString(Running.ROOT.resolve("docs/operations.md"));
      for (String member : members(done.output())) {
        assertThat(document).as("docs/operations.md").contains("`" + member + "`");
      }
      assertThat(members(done.output()))
          .contains("schema", "pid", "listeners", "backends", "waiting", "outcomes", "counters");
      assertThat(done.output())
          .contains("\"address\":\"127.0.0.1:" + proxy.port(0) + "\"", "\"passed\":1");
    }
  }

  /** The names of all members, but for those that are counted: they are documented elsewhere. */
  private static Set<String> members(String json) throws IOException {
    Set<String> names = new TreeSet<>();
    try (JsonParser parser = new JsonFactory().createParser(json)) {
      for (JsonToken token = parser.nextToken(); token != null; token = parser.nextToken()) {
        String parent =
            parser.getParsingContext().getParent() == null
                ? ""
                : String.valueOf(parser.getParsingContext().getParent().getCurrentName());
        if (token == JsonToken.FIELD_NAME && !Set.of("outcomes", "counters").contains(parent)) {
          names.add(parser.currentName());
        }
      }
    }
    return names;
  }

  @Test
  void whoMayNotTalkToTheProxyIsToldWhoMay() throws Exception {
    Tool.require("setpriv");
    Assumptions.assumeTrue(
        Running.run(dir, "id", "-u").output().trim().equals("0"),
        "SKIPPED: only root can become another user");
    write(yaml("\"127.0.0.1:0\"", "", ""));
    try (Running proxy = start("proxy")) {
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(admin())))
          .isEqualTo("rw-------");
      Running.Done byMode = asNobody();
      assertThat(byMode.status()).as(byMode.errors()).isEqualTo(3);
      assertThat(byMode.errors()).contains("EACCES: only root and the user that runs the proxy");

      Set<PosixFilePermission> searchable = Files.getPosixFilePermissions(dir);
      Files.setPosixFilePermissions(dir, PosixFilePermissions.fromString("rwx------"));
      Running.Done byDirectory = asNobody();
      Files.setPosixFilePermissions(dir, searchable);
      assertThat(byDirectory.status()).as(byDirectory.errors()).isEqualTo(3);
      assertThat(byDirectory.errors())
          .contains("EACCES: this user may not search the directory " + dir + ": use sudo");

      // The mode is one thing, who connects is another.
      Files.setPosixFilePermissions(admin(), PosixFilePermissions.fromString("rwxrwxrwx"));
      Running.Done byUid = asNobody();
      assertThat(byUid.status()).as(byUid.errors()).isOne();
      assertThat(byUid.errors()).contains("refused: only root and uid 0");
      assertThat(proxy.errors()).contains("refused uid 65534");
    }
  }

  private Running.Done asNobody() throws IOException {
    String java = System.getProperty("java.home") + "/bin/java";
    Assumptions.assumeTrue(
        Running.run(dir, "setpriv", "--reuid=65534", "--clear-groups", java, "-version").status()
            == 0,
        "SKIPPED: another user cannot run this JDK");
    return Running.run(
        dir,
        "setpriv",
        "--reuid=65534",
        "--clear-groups",
        Running.ROOT.toRealPath().resolve("peekpass").toString(),
        "status",
        "--admin",
        "unix:" + admin());
  }

  @Test
  void whatAKilledProxyLeavesIsReplacedAndWhatALivingOneHasIsNot() throws Exception {
    write(yaml("\"127.0.0.1:0\"", "", ""));
    try (Running killed = start("killed")) {
      killed.kill();
    }
    assertThat(admin()).exists();
    Running.Done nobody = command("status", "--admin", "unix:" + admin());
    assertThat(nobody.status()).isEqualTo(3);
    assertThat(nobody.errors()).contains("ECONNREFUSED: the socket's proxy has ended");
    try (Running proxy = start("proxy")) {
      assertThat(ask("status")).contains("\"pid\":" + proxy.process.pid());
      Running.Done second = command("run", "-c", dir + "/peekpass.yaml");
      assertThat(second.status()).isOne();
      assertThat(second.errors())
          .contains("EADDRINUSE: process " + proxy.process.pid() + " answers there");
      assertThat(ask("status")).contains("\"pid\":" + proxy.process.pid());
      assertThat(proxy.stop()).isZero();
      assertThat(admin()).doesNotExist();
    }
    assertThat(command("status", "-c", dir + "/peekpass.yaml").errors())
        .contains("ENOENT: no proxy");
  }

  /** What systemd does: sockets at descriptor 3 and on, the environment, then exec. */
  private static final String LAUNCHER =
      """
      import os, socket, sys
      sockets = []
      for port in sys.argv[1].split(","):
          s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
          s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
          s.bind(("127.0.0.1", int(port)))
          s.listen(64)
          sockets.append(s)
      print(" ".join(str(s.getsockname()[1]) for s in sockets), flush=True)
      sys.stdin.readline()
      high = [os.dup2(s.fileno(), 100 + i) for i, s in enumerate(sockets)]
      for i, fd in enumerate(high):
          os.dup2(fd, 3 + i)
          os.set_inheritable(3 + i, True)
          os.close(fd)
      os.environ["LISTEN_PID"] = str(os.getpid())
      os.environ["LISTEN_FDS"] = str(len(sockets))
      os.environ["LISTEN_FDNAMES"] = ":".join("web" for s in sockets)
      os.execvp(sys.argv[2], sys.argv[2:])
      """;

  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void socketsOfTheServiceManagerAreUsed(int threads) throws Exception {
    Tool.require("python3");
    Path launcher = Files.writeString(dir.resolve("launcher.py"), LAUNCHER);
    Path go = dir.resolve("go");
    Running.run(dir, "mkfifo", go.toString());
    List<String> command =
        List.of(
            "sh",
            "-c",
            "exec python3 \"$0\" 0,0 \"$1\" run -c \"$2\" < \"$3\"",
            launcher.toString(),
            Running.ROOT.resolve("peekpass").toString(),
            dir.resolve("peekpass.yaml").toString(),
            go.toString());
    try (Running proxy = Running.start(dir, "activated", command);
        var start = Files.newOutputStream(go)) {
      proxy.awaitOutput("it has bound", () -> proxy.output().contains("\n"));
      String[] ports = proxy.output().lines().findFirst().orElseThrow().split(" ", -1);
      int port = Integer.parseInt(ports[0]);
      write(yaml("\"127.0.0.1:" + port + "\"", "", "threads: " + threads));
      // A client that comes before there is a proxy waits and is served.
      try (Socket early = new Socket(InetAddress.getLoopbackAddress(), port)) {
        start.write('\n');
        start.flush();
        assertThat(get(early)).endsWith(BODY);
      }
      proxy.awaitOutput("it runs", () -> proxy.errors().contains("running as process"));
      assertThat(proxy.errors())
          .contains("inherited fd 3 from the service manager (web)")
          .contains("127.0.0.1:" + ports[1] + " was inherited and no listener binds it");
      for (int i = 0; i < 20; i++) {
        assertThat(get(port)).endsWith(BODY);
      }
      assertThat(proxy.stop()).isZero();
    }
  }

  /** What the service manager does with a notification socket. */
  private static final String NOTIFIED =
      """
      import socket, sys
      name = sys.argv[1]
      s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
      s.bind("\\0" + name[1:] if name.startswith("@") else name)
      print("bound", flush=True)
      while True:
          print(s.recv(4096).decode().replace("\\n", " | "), flush=True)
      """;

  @ParameterizedTest
  @ValueSource(strings = {"path", "abstract"})
  void theServiceManagerIsToldHowItIs(String kind) throws Exception {
    Tool.require("python3");
    Path script = Files.writeString(dir.resolve("notified.py"), NOTIFIED);
    String name =
        kind.equals("path")
            ? dir.resolve("notify").toString()
            : "@peekpass-it-" + ProcessHandle.current().pid() + "-" + System.nanoTime();
    write(yaml("\"127.0.0.1:0\"", "", ""));
    try (Running notified =
        Running.start(dir, "notified", List.of("python3", script.toString(), name))) {
      notified.awaitOutput("it is bound", () -> notified.output().contains("bound"));
      List<String> command =
          List.of(
              "env",
              "NOTIFY_SOCKET=" + name,
              "WATCHDOG_USEC=400000",
              Running.ROOT.resolve("peekpass").toString(),
              "run",
              "-c",
              dir.resolve("peekpass.yaml").toString());
      try (Running proxy = Running.start(dir, "proxy", command)) {
        notified.awaitOutput(
            "it is ready",
            () -> notified.output().contains("READY=1 | MAINPID=" + proxy.process.pid()));
        notified.awaitOutput(
            "it is watched", () -> notified.output().split("WATCHDOG=1", -1).length > 3);
        assertThat(notified.output()).doesNotContain("RELOADING");
        proxy.hangUp();
        notified.awaitOutput(
            "it has reloaded",
            () ->
                notified.output().matches("(?s).*RELOADING=1 \\| MONOTONIC_USEC=\\d+ .*READY=1.*"));
        assertThat(monotonicMicros(notified.output())).isBetween(0L, uptimeMicros());
        try (Running next = start("next", "--takeover")) {
          notified.awaitOutput(
              "the next is the main process",
              () -> notified.output().contains("\nMAINPID=" + next.process.pid()));
          assertThat(proxy.await()).isZero();
          assertThat(notified.output()).doesNotContain("STOPPING");
          assertThat(next.stop()).isZero();
        }
      }
      try (Running proxy = Running.start(dir, "stopping", command)) {
        proxy.awaitOutput("it runs", () -> proxy.errors().contains("running as process"));
        assertThat(proxy.stop()).isZero();
        notified.awaitOutput("it stops", () -> notified.output().contains("STOPPING=1"));
      }
    }
  }

  private static long monotonicMicros(String output) {
    return Long.parseLong(output.replaceAll("(?s).*MONOTONIC_USEC=(\\d+).*", "$1"));
  }

  private static long uptimeMicros() throws IOException {
    String uptime = Files.readString(Path.of("/proc/uptime"));
    return (long) ((Double.parseDouble(uptime.split(" ", -1)[0]) + 1) * 1e6);
  }

  @Test
  void aSecondSignalEndsItAtOnce() throws Exception {
    write(yaml("\"127.0.0.1:0\"", "", ""));
    try (Running proxy = start("proxy");
        Socket pending = new Socket(InetAddress.getLoopbackAddress(), proxy.port(0))) {
      pending.getOutputStream().write("GET".getBytes(StandardCharsets.US_ASCII));
      Running.await("it is pending", () -> askStatus().contains("\"pending\":1"));
      String pid = String.valueOf(proxy.process.pid());
      Running.run(dir, "kill", "-INT", pid);
      proxy.awaitOutput("it stops", () -> proxy.errors().contains("stopping: "));
      Running.run(dir, "kill", "-INT", pid);

      assertThat(proxy.await()).isEqualTo(130);
    }
  }

  private String askStatus() {
    try {
      return ask("status");
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }
}
