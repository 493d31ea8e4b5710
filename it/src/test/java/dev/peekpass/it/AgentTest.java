package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.Message;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.linux.SockAddr;
import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the agent does beside passing connections on: methods, options, limits, refusals. */
@Tag("agent")
@Tag("processes")
class AgentTest {
  private static final Path OLD_JDK = Path.of("/usr/lib/jvm/java-17-openjdk-amd64/bin/java");

  @TempDir private Path dir;

  private static void answers(AgentSite site) throws IOException {
    try (AgentSite.Client client = site.client()) {
      assertThat(client.get("/")).contains("/" + client.address() + " ");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "selector, auto",
    "selector, once",
    "selector, datagram",
    "socket, once",
    "socket, datagram",
    "netty-epoll, once",
    "netty-epoll, datagram"
  })
  void takesEveryMethod(String kind, String method) throws Exception {
    try (AgentSite site = new AgentSite(dir, kind, method, "")) {
      for (int i = 0; i < 50; i++) {
        answers(site);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "socket, persistent",
    "selector, persistent",
    "asynchronous, persistent",
    "netty-epoll, persistent",
    "socket, acknowledged",
    "netty-epoll, acknowledged"
  })
  void theTcpPortStaysOpenWhereThePairSaysSo(String kind, String method) throws Exception {
    try (AgentSite site = new AgentSite(dir, kind, method, "+tcp")) {
      for (int i = 0; i < 50; i++) {
        answers(site);
        try (AgentSite.Client direct =
            site.client(site.tcpPort, InetAddress.ofLiteral("127.0.0.1"))) {
          assertThat(direct.get("/"))
              .contains("/" + direct.address() + " local /127.0.0.1:" + site.tcpPort);
        }
      }
      try (AgentSite.Client direct =
          site.client(site.tcpPort, InetAddress.ofLiteral("127.0.0.1"))) {
        direct.get("/rebind");
      }
      Running.await("it has bound anew", () -> site.server.errors().lines().count() == 2);
      answers(site);
      try (AgentSite.Client direct =
          site.client(site.tcpPort, InetAddress.ofLiteral("127.0.0.1"))) {
        assertThat(direct.get("/")).contains("/" + direct.address() + " ");
      }
    }
  }

  /**
   * Connects, sends junk, ends in the middle: nothing of it may wake a server that trusts
   * readiness, nor keep clients waiting.
   */
  @ParameterizedTest
  @ValueSource(strings = {"selector", "socket", "asynchronous", "netty-epoll"})
  void nothingThatAPeerDoesOnTheUnixSocketIsSeen(String kind) throws Exception {
    Kernel kernel = LinuxKernel.open();
    SockAddr address = new SockAddr();
    try (AgentSite site = new AgentSite(dir, kind, "persistent", "")) {
      answers(site);
      address.unix(site.socket.toString());
      List<Fd> held = new ArrayList<>();
      for (int round = 0; round < 40; round++) {
        Fd peer = connect(kernel, address);
        switch (round % 5) {
          case 0 -> kernel.close(peer);
          case 1 -> {
            NativeBuffer junk = new NativeBuffer(100);
            assertThat(kernel.send(peer, junk, 0, 100, Linux.MSG_NOSIGNAL)).isEqualTo(100);
            held.add(peer);
          }
          case 2 -> {
            pass(kernel, peer, Fd.of(kernel.eventfd(0, Linux.EFD_CLOEXEC)));
            kernel.close(peer);
          }
          case 3 -> {
            int fresh = kernel.socket(Linux.AF_INET, Linux.SOCK_STREAM | Linux.SOCK_CLOEXEC, 0);
            pass(kernel, peer, Fd.of(fresh));
            held.add(peer);
          }
          default -> held.add(peer);
        }
        answers(site);
      }
      held.forEach(kernel::close);
      answers(site);
      assertThat(site.server.output()).doesNotContain("NOTHING to accept");
      assertThat(site.server.errors())
          .contains("closed a descriptor that is not a connected TCP socket");
    }
  }

  private static Fd connect(Kernel kernel, SockAddr address) {
    Fd peer = Fd.of(kernel.socket(Linux.AF_UNIX, Linux.SOCK_STREAM | Linux.SOCK_CLOEXEC, 0));
    assertThat(kernel.connect(peer, address)).isZero();
    return peer;
  }

  /** Sends a descriptor and closes it here. */
  private static void pass(Kernel kernel, Fd to, Fd descriptor) {
    Message message = new Message(1, 1);
    message.beginSend(1);
    message.add(descriptor);
    assertThat(kernel.sendmsg(to, message, Linux.MSG_NOSIGNAL)).isOne();
    kernel.close(descriptor);
  }

  @Test
  void aServerMayBeAModule() throws Exception {
    Files.writeString(dir.resolve("index.html"), "from a module");
    int port = AgentSite.freePort();
    Path socket = dir.resolve("app.sock");
    List<String> program = new ArrayList<>(List.of("-m", "jdk.httpserver", "-b", "0.0.0.0"));
    program.addAll(List.of("-p", Integer.toString(port), "-d", dir.toString()));
    try (Running server = AgentSite.run(dir, "module", AgentSite.pair(port, socket), program)) {
      server.awaitOutput("it listens", () -> Files.exists(socket));
      try (Running proxy = Running.proxy(dir, AgentSite.yaml(socket, "acknowledged"));
          AgentSite.Client client = AgentSite.plain(proxy.port(0))) {
        assertThat(client.get("/")).isEqualTo("from a module");
      }
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void anotherAgentMayTransformTheSameClasses(boolean first) throws Exception {
    String other = "-javaagent:" + OtherAgent.jar(dir);
    int port = AgentSite.freePort();
    Path socket = dir.resolve("app.sock");
    List<String> command = new ArrayList<>(AgentSite.java());
    if (first) {
      command.add(other);
    }
    command.add("-javaagent:" + AgentSite.AGENT + "=" + AgentSite.pair(port, socket));
    if (!first) {
      command.add(other);
    }
    command.addAll(AgentSite.program(dir, "selector"));
    command.add(Integer.toString(port));
    try (Running server = Running.start(dir, "two-agents", command)) {
      server.awaitOutput("it listens", () -> server.output().contains("listening "));
      assertThat(server.output()).startsWith("transformed\n");
      assertThat(server.errors()).contains("takes its connections from");
      try (Running proxy = Running.proxy(dir, AgentSite.yaml(socket, "acknowledged"));
          AgentSite.Client client = AgentSite.plain(proxy.port(0))) {
        assertThat(client.get("/")).contains("/" + client.address() + " ");
      }
    }
  }

  @Test
  void whoIsNotAllowedHandsNothingOver() throws Exception {
    Tool.require("setpriv");
    Tool.require("curl");
    Assumptions.assumeTrue(LinuxKernel.open().geteuid() == 0, "SKIPPED: only root can be another");
    try (AgentSite site = new AgentSite(dir, "selector", "persistent", "+mode=0666")) {
      assertThat(dir.toFile().setExecutable(true, false)).isTrue();
      Running.Done done =
          Running.run(
              dir,
              "setpriv",
              "--reuid=65533",
              "--clear-groups",
              "curl",
              "-sS",
              "--unix-socket",
              site.socket.toString(),
              "http://localhost/");
      assertThat(done.status()).as(done.errors()).isNotZero();
      assertThat(done.output()).isEmpty();
      Running.await("it is logged", () -> site.server.errors().contains("of uid 65533"));
      assertThat(site.server.errors()).contains("+uid=65533 in the agent's options");
      answers(site);
    }
  }

  @ParameterizedTest
  @CsvSource({"'',acknowledged", "+stream,persistent"})
  void atTheLimitOfDescriptorsNobodyIsLost(String modifier, String method) throws Exception {
    List<String> program = new ArrayList<>(AgentSite.program(dir, "socket"));
    int port = AgentSite.freePort();
    Path socket = dir.resolve("app.sock");
    program.add(Integer.toString(port));
    List<String> command = new ArrayList<>();
    // Room for some forty connections.
    command.addAll(List.of("/bin/sh", "-c", "ulimit -n 70; exec \"$@\"", "sh"));
    command.addAll(AgentSite.java());
    // So that the JVM does not raise the limit itself.
    command.add("-XX:-MaxFDLimit");
    String pair = AgentSite.pair(port, socket) + modifier;
    command.add("-javaagent:" + AgentSite.AGENT + "=" + pair);
    command.addAll(program);
    try (Running server = Running.start(dir, "limited", command)) {
      server.awaitOutput("it listens", () -> server.output().contains("listening "));
      try (Running proxy = Running.proxy(dir, AgentSite.yaml(socket, method))) {
        // Each by itself: in which order they are served is not promised when there is no room.
        List<Future<Boolean>> served = new ArrayList<>();
        try (ExecutorService clients = Executors.newVirtualThreadPerTaskExecutor()) {
          for (int i = 0; i < 200; i++) {
            served.add(
                clients.submit(() -> {
                  try (AgentSite.Client client = AgentSite.plain(proxy.port(0))) {
                    client.send("/");
                    boolean right = client.receive().contains("/" + client.address() + " ");
                    // Keeps its descriptor in the server for a while, so that there is none left.
                    Thread.sleep(200);
                    return right;
                  }
                }));
          }
        }
        for (Future<Boolean> one : served) {
          assertThat(one.get()).isTrue();
        }
      }
      assertThat(server.errors()).contains("RLIMIT_NOFILE");
    }
  }

  @Test
  void optionsComeFromAFileAndFromTheEnvironment() throws Exception {
    Path file =
        Files.writeString(
            dir.resolve("agent.options"),
            "# what the server binds\n\n*:0=unix:"
                + dir.resolve("a,b.sock").toString().replace(",", "\\,")
                + "\n");
    List<String> program = AgentSite.program(dir, "selector");
    program.add("0");
    try (Running server = AgentSite.run(dir, "file", "@" + file, program)) {
      server.awaitOutput("it listens", () -> server.output().contains("listening "));
      assertThat(dir.resolve("a,b.sock")).exists();
      assertThat(server.output()).as("a port of the kernel's choice").doesNotEndWith(":0\n");
    }
    List<String> command = new ArrayList<>(List.of("env", "PEEKPASS_AGENT=@" + file));
    command.addAll(AgentSite.java());
    command.add("-javaagent:" + AgentSite.AGENT);
    command.addAll(program);
    try (Running server = Running.start(dir, "environment", command)) {
      server.awaitOutput("it listens", () -> server.output().contains("listening "));
      assertThat(server.errors()).contains("takes its connections from unix:");
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "8443=unix:/run/a.sock | write HOST:PORT=unix:PATH, as in *:8443=unix:/run/app.sock",
        "*:8443=/run/a.sock | the socket must be written unix:PATH",
        "*:x=unix:/run/a.sock | a port is a number from 0 to 65535",
        "*:8443=unix:/run/a.sock+tpc | +tpc is none of +tcp, +uid=NUMBER",
        "*:1=unix:/a,127.0.0.1:1=unix:/b | names an address that *:1=unix:/a names too",
        "*:1=unix:/a,*:2=unix:/a | has the same socket as *:1=unix:/a",
        "*:1=unix:/a+stream+datagram | one of +acknowledged, +stream, +datagram",
        "@/nonexistent/file | cannot be read",
        "no.such.host.invalid:1=unix:/a | the host no.such.host.invalid is unknown here",
        "'' | no addresses to take over"
      })
  void wrongOptionsStopTheStart(String options, String message) throws Exception {
    Running.Done done = refused(options, AgentSite.java());
    assertThat(done.errors()).startsWith("peekpass-agent: ").contains(message);
  }

  private Running.Done refused(String options, List<String> java) throws IOException {
    List<String> command = new ArrayList<>(java);
    command.add("-javaagent:" + AgentSite.AGENT + "=" + options);
    command.addAll(AgentSite.program(dir, "socket"));
    command.add(Integer.toString(AgentSite.freePort()));
    Running.Done done = Running.run(dir, command.toArray(String[]::new));
    assertThat(done.status()).as(done.errors()).isEqualTo(1);
    assertThat(done.output()).as("the server's main did not run").isEmpty();
    assertThat(done.errors().lines().count()).as(done.errors()).isOne();
    return done;
  }

  /** A real JVM whose java.base has one method under another name. */
  @ParameterizedTest
  @CsvSource({
    "ServerSocketChannelImpl, netBind, call of sun.nio.ch.Net.bind in its method netBind",
    "NioSocketImpl, timedAccept, call of sun.nio.ch.Net.accept in its method timedAccept",
    "UnixAsynchronousServerSocketChannelImpl, implClose, method implClose()V"
  })
  void aJdkThatHasMovedWhatIsRewrittenStopsTheStart(String type, String method, String message)
      throws Exception {
    Path patch = MovedMethod.patch(dir, "sun/nio/ch/" + type, method);
    List<String> java = new ArrayList<>(AgentSite.java());
    java.add("--patch-module=java.base=" + patch);
    Running.Done done = refused("*:1=unix:" + dir.resolve("a.sock"), java);
    assertThat(done.errors())
        .startsWith("peekpass-agent: this JDK (" + Runtime.version() + ")")
        .contains("sun.nio.ch." + type + " has no " + message);
  }

  @ParameterizedTest
  @ValueSource(strings = {"bind", "listen", "accept", "localAddress"})
  void aNettyThatHasMovedWhatIsRewrittenStopsTheServer(String method) throws Exception {
    requireX64();
    Path patch = MovedMethod.patch(dir, "io/netty/channel/unix/Socket", method);
    int port = AgentSite.freePort();
    List<String> program = AgentSite.program(dir, "netty-epoll");
    int classPath = program.indexOf("-cp") + 1;
    program.set(classPath, patch + File.pathSeparator + program.get(classPath));
    program.add(Integer.toString(port));
    try (Running server =
        AgentSite.run(dir, "moved", AgentSite.pair(port, dir.resolve("a.sock")), program)) {
      assertThat(server.await()).as(server.errors()).isEqualTo(1);
      assertThat(server.output()).isEmpty();
      assertThat(server.errors())
          .contains("this Netty: io.netty.channel.unix.Socket has no method " + method + "(");
    }
  }

  private static void requireX64() {
    Assumptions.assumeTrue(
        System.getProperty("os.arch").equals("amd64"),
        "SKIPPED: the native library of Netty's that the tests have is for x86-64");
  }

  @Test
  void aServerIsToldWhatItWouldBeToldWithoutTheAgent() throws Exception {
    List<String> plain = new ArrayList<>(AgentSite.java());
    int port = AgentSite.freePort();
    List<String> program =
        List.of("-cp", AgentSite.classPath(), "dev.peekpass.it.Curious", Integer.toString(port));
    plain.addAll(program);
    Running.Done without = Running.run(dir, plain.toArray(String[]::new));
    assertThat(without.status()).as(without.errors()).isZero();
    try (Running with =
        AgentSite.run(dir, "curious", "*:" + port + "=unix:" + dir.resolve("a.sock"), program)) {
      assertThat(with.await()).as(with.errors()).isZero();
      assertThat(with.output()).isEqualTo(without.output());
      assertThat(with.errors()).contains("takes its connections from");
    }
  }

  @Test
  void anOldJavaIsToldWhatItNeeds() throws Exception {
    Assumptions.assumeTrue(Files.isExecutable(OLD_JDK), "SKIPPED: there is no " + OLD_JDK);
    Running.Done done =
        Running.run(
            dir,
            OLD_JDK.toString(),
            "-javaagent:" + AgentSite.AGENT + "=*:1=unix:" + dir.resolve("a.sock"),
            "-version");
    assertThat(done.status()).isEqualTo(1);
    assertThat(done.errors())
        .matches("peekpass-agent: this is Java 17[^,]*, and the agent needs 25 or newer: .*\n");
  }

  @Test
  void nettysIoUringIsRefusedByName() throws Exception {
    requireX64();
    int port = AgentSite.freePort();
    List<String> program = AgentSite.program(dir, "netty-io_uring");
    program.set(program.size() - 2, "dev.peekpass.it.IoUringServer");
    program.set(program.size() - 1, Integer.toString(port));
    try (Running server =
        AgentSite.run(dir, "uring", AgentSite.pair(port, dir.resolve("a.sock")), program)) {
      assertThat(server.await()).as(server.output()).isEqualTo(1);
      Assumptions.assumeFalse(
          server.errors().contains("UnsatisfiedLinkError"),
          "SKIPPED: this kernel gives no io_uring: " + server.errors());
      assertThat(server.errors())
          .contains(
              "the server uses Netty's io_uring transport (io.netty.channel.uring.LinuxSocket)");
    }
  }

  @Test
  void anAddressThatIsNotNamedIsLeftToTcpAndSaidToBe() throws Exception {
    int port = AgentSite.freePort();
    List<String> program = AgentSite.program(dir, "selector");
    program.add(Integer.toString(port));
    try (Running server =
        AgentSite.run(
            dir, "other", "127.0.0.1:" + port + "=unix:" + dir.resolve("a.sock"), program)) {
      server.awaitOutput("it listens", () -> server.output().contains("listening "));
      assertThat(server.errors()).contains("is left to TCP").contains("*:" + port + " would name");
      try (AgentSite.Client client = AgentSite.plain(port)) {
        assertThat(client.get("/")).contains("/" + client.address() + " ");
      }
    }
  }

  @Test
  void aPathThatIsInUseFailsTheBind() throws Exception {
    try (AgentSite site = new AgentSite(dir, "socket", "persistent", "")) {
      List<String> program = AgentSite.program(dir, "socket");
      program.add(Integer.toString(site.tcpPort));
      try (Running second =
          AgentSite.run(dir, "second", AgentSite.pair(site.tcpPort, site.socket), program)) {
        assertThat(second.await()).isEqualTo(1);
        assertThat(second.errors())
            .contains(
                "java.net.BindException: bind unix:" + site.socket + ": EADDRINUSE: in use by")
            .contains("pid " + site.server.process.pid());
      }
      answers(site);
    }
  }
}
