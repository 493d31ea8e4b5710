package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

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
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Assumptions;

/**
 * Proxies that root starts and that serve as another user, receivers for them, and the program
 * where that user can read it. It ends what it has started.
 */
final class ConfinedSite implements AutoCloseable {
  /** A user that every system has. Not nobody, whom no receiver lets in (docs/operations.md). */
  static final String DAEMON = "1";

  static final String AS_DAEMON = "user: daemon\n";

  private static final Pattern RUNNING = Pattern.compile("running as process (\\d+)");

  private static @Nullable Path program;

  final Path dir;
  final Path run;
  final Path etc;
  private final List<Running> started = new ArrayList<>();

  /** Makes the directories. Skips the test, by name, unless root does it and the user is there. */
  ConfinedSite(Path dir) throws IOException {
    this.dir = dir;
    requireRootAndAnotherUser(dir);
    open(dir, "rwxr-xr-x");
    run = open(Files.createDirectories(dir.resolve("run")), "rwxrwxrwx");
    etc = Files.createDirectories(dir.resolve("etc"));
  }

  private static void requireRootAndAnotherUser(Path dir) throws IOException {
    Assumptions.assumeTrue(
        Running.run(dir, "id", "-u").output().trim().equals("0"),
        "SKIPPED: only root can become another user");
    Tool.require("setpriv");
    Tool.require("python3");
    Assumptions.assumeTrue(
        Running.run(dir, "id", "-u", "daemon").output().trim().equals(DAEMON),
        "SKIPPED: there is no user daemon with the number 1 here");
    String java = System.getProperty("java.home") + "/bin/java";
    Assumptions.assumeTrue(
        Running.run(dir, "setpriv", "--reuid=" + DAEMON, "--clear-groups", "test", "-x", java)
                .status()
            == 0,
        "SKIPPED: another user cannot run this JDK");
  }

  static Path open(Path path, String mode) throws IOException {
    return Files.setPosixFilePermissions(path, PosixFilePermissions.fromString(mode));
  }

  /**
   * The program where another user can read it, since a checkout in a home may be closed, with its
   * AOT cache. One for all tests.
   */
  static synchronized Path program() throws IOException {
    if (program == null) {
      Path to = open(Files.createTempDirectory("peekpass-program"), "rwxr-xr-x");
      Runtime.getRuntime().addShutdownHook(new Thread(() -> remove(to)));
      List<Path> files =
          new ArrayList<>(List.of(Path.of("peekpass"), Path.of("scripts/find-jdk.sh")));
      try (Stream<Path> jars = Files.list(Running.ROOT.resolve("cli/target/lib"))) {
        jars.filter(jar -> jar.toString().endsWith(".jar"))
            .forEach(jar -> files.add(Running.ROOT.relativize(jar)));
      }
      for (Path file : files) {
        Path copy = to.resolve(file);
        Files.createDirectories(copy.getParent());
        Files.copy(Running.ROOT.resolve(file), copy, StandardCopyOption.COPY_ATTRIBUTES);
      }
      Running.Done trained = Running.run(to, to.resolve("peekpass").toString(), "aot-cache");
      assertThat(trained.status()).as(trained.errors()).isZero();
      Running.Done done = Running.run(to, "chmod", "-R", "a+rX", to.toString());
      assertThat(done.status()).as(done.errors()).isZero();
      program = to.resolve("peekpass");
    }
    return program;
  }

  private static void remove(Path root) {
    try (Stream<Path> files = Files.walk(root)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    } catch (IOException e) {
      System.err.println(root + " is left: " + e);
    }
  }

  /** Starts something, to be ended with this. */
  Running begin(String name, List<String> command) throws IOException {
    Running running = Running.start(dir, name, command);
    started.add(running);
    return running;
  }

  /**
   * Starts a receiver of docs/protocol.md, and waits until the proxy's user can connect.
   *
   * @param kind as the document calls it
   */
  Running receiver(String kind, Path socket) throws IOException {
    String document = Files.readString(Running.ROOT.resolve("docs/protocol.md"));
    Matcher matcher =
        Pattern.compile("<!-- receiver: " + kind + " -->\n```python\n(.*?)```", Pattern.DOTALL)
            .matcher(document);
    assertThat(matcher.find()).isTrue();
    return python(
        kind,
        socket,
        matcher.group(1).replace("0o660", "0o666").replace("HTTP/1.0", "HTTP/1.1"),
        socket.toString());
  }

  /** As the other, of a program of {@code it/src/test/resources}. */
  Running script(String name, Path makes, String... arguments) throws IOException {
    Path file = Running.ROOT.resolve("it/src/test/resources/" + name);
    return python(name, makes, Files.readString(file), arguments);
  }

  /** Runs a program in Python, and waits until the file is there that it makes. */
  Running python(String name, Path makes, String program, String... arguments) throws IOException {
    List<String> command = new ArrayList<>(List.of("python3", "-u", "-c", program));
    command.addAll(List.of(arguments));
    Running python = begin(name + "-" + started.size(), command);
    python.awaitOutput("it is there", () -> Files.exists(makes) && isOthers(makes));
    return python;
  }

  private static boolean isOthers(Path file) {
    try {
      return PosixFilePermissions.toString(Files.getPosixFilePermissions(file)).charAt(7) == 'w';
    } catch (IOException e) {
      return false;
    }
  }

  Path socket(String name) {
    return dir.resolve(name + ".sock");
  }

  Path admin() {
    return run.resolve("admin.sock");
  }

  /** Writes the configuration beside and moves it, as editors do; adds the admin socket. */
  Path write(String yaml) throws IOException {
    Path beside = etc.resolve("new.yaml");
    Files.writeString(beside, "admin: \"unix:" + admin() + "\"\n" + yaml);
    return Files.move(beside, etc.resolve("peekpass.yaml"), StandardCopyOption.REPLACE_EXISTING);
  }

  /** Writes one with a listener, and a backend for {@code shop.test}. */
  Path write(String keys, String bind, Path socket) throws IOException {
    return write(
        """
        %s
        listeners: [ { bind: [%s] } ]
        backends: { shop: { handoff: "unix:%s" } }
        routes: [ { host: shop.test, backend: shop } ]
        """
            .formatted(keys, bind, socket));
  }

  /** The command that starts a proxy, after what is to start that. */
  List<String> command(List<String> before, String... more) throws IOException {
    List<String> command = new ArrayList<>(before);
    command.addAll(List.of(program().toString(), "run", "-c", etc + "/peekpass.yaml"));
    command.addAll(List.of(more));
    return command;
  }

  /** Starts a proxy and waits until it runs. */
  Running start(String name, List<String> before, String... more) throws IOException {
    return awaitRunning(begin(name, command(before, more)));
  }

  static Running awaitRunning(Running proxy) {
    proxy.awaitOutput("it runs", () -> proxy.errors().contains("running as process"));
    return proxy;
  }

  /** Which process a proxy is; what it was started by may be another. */
  static long pid(Running proxy) {
    Matcher matcher = RUNNING.matcher(proxy.errors());
    assertThat(matcher.find()).as(proxy.errors()).isTrue();
    return Long.parseLong(matcher.group(1));
  }

  /** What it answers on its admin socket. */
  String ask(String request) throws IOException {
    try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
      channel.connect(UnixDomainSocketAddress.of(admin()));
      channel.write(ByteBuffer.wrap((request + "\n").getBytes(StandardCharsets.UTF_8)));
      return new String(Channels.newInputStream(channel).readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  long counter(String name) throws IOException {
    return Long.parseLong(ask("status").replaceAll("(?s).*\"" + name + "\":(\\d+).*", "$1"));
  }

  /** What a client of a host gets. */
  static String get(int port, String host) throws IOException {
    try (Socket client = new Socket(InetAddress.getLoopbackAddress(), port)) {
      client.setSoTimeout(30_000);
      String head = "GET / HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n";
      client.getOutputStream().write(head.getBytes(StandardCharsets.US_ASCII));
      return new String(client.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }

  /** What all threads of a process have in a line of /proc/PID/task/TID/status. */
  static Set<String> ofAllThreads(long pid, String field) throws IOException {
    Set<String> values = new TreeSet<>();
    try (Stream<Path> threads = Files.list(Path.of("/proc/" + pid + "/task"))) {
      for (Path thread : threads.toList()) {
        for (String line : linesOf(thread.resolve("status"))) {
          if (line.startsWith(field + ":")) {
            values.add(line.substring(field.length() + 1).strip().replaceAll("\\s+", " "));
          }
        }
      }
    }
    return values;
  }

  /** None where the thread has ended meanwhile. */
  private static List<String> linesOf(Path status) {
    try {
      return Files.readAllLines(status);
    } catch (IOException e) {
      return List.of();
    }
  }

  static void assertIsUser(long pid, String uid) throws IOException {
    assertThat(ofAllThreads(pid, "Uid")).containsExactly("%s %s %s %s".replace("%s", uid));
    assertThat(ofAllThreads(pid, "NoNewPrivs")).containsExactly("1");
    if (!uid.equals("0")) {
      assertThat(ofAllThreads(pid, "CapEff")).containsExactly("0000000000000000");
    }
  }

  /** How many descriptors a process holds. */
  static long descriptors(long pid) throws IOException {
    try (Stream<Path> all = Files.list(Path.of("/proc/" + pid + "/fd"))) {
      return all.count();
    }
  }

  @Override
  public void close() {
    started.reversed().forEach(Running::close);
  }
}
