package dev.peekpass.it.fault;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.it.Running;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** A payload, a proxy on a port that stays, and {@code peekpass serve} behind it. */
final class Deployment implements AutoCloseable {
  static final String HOST = "shop.example.test";

  /** What gets a tenth of the processors that another wants too. */
  static final List<String> NICE = List.of("nice", "-n", "10");

  private static final Pattern WAITING =
      Pattern.compile("\"name\":\"([^\"]+)\"[^}]*?\"waiting\":(\\d+)");
  private static final Pattern HANDLED = Pattern.compile("\"GET /payload\\?n=(\\d+) [^\"]*\" 200 ");

  final Path dir;
  final Path payload;
  final int port;

  /** Whether it listens on [::1], too; set before it is configured. */
  boolean ipv6;

  final List<Running> servers = new ArrayList<>();
  final List<Running> proxies = new ArrayList<>();
  private final List<LoadProgram> loads = new ArrayList<>();

  Deployment(Path dir, int payloadBytes) throws IOException {
    this.dir = dir;
    payload = Files.createDirectories(dir.resolve("site")).resolve("payload");
    byte[] bytes = new byte[payloadBytes];
    new Random(6).nextBytes(bytes);
    Files.write(payload, bytes);
    LoadProgram.build(dir);
    port = freePort();
  }

  private static List<String> limitedTo(int descriptors) {
    return descriptors == 0
        ? List.of()
        : List.of("bash", "-c", "ulimit -n " + descriptors + "; exec \"$@\"", "limited");
  }

  static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }

  String unix(String socket) {
    return "\"unix:" + dir.resolve(socket + ".sock") + "\"";
  }

  /** Starts a backend and waits until it serves. */
  Running serve(String socket, String... options) throws IOException {
    return serve(0, socket, options);
  }

  /**
   * Starts a backend and waits until it serves.
   *
   * @param descriptors its limit of them; 0 for what it inherits
   */
  Running serve(int descriptors, String socket, String... options) throws IOException {
    return serve(limitedTo(descriptors), socket, options);
  }

  /** Starts a backend that that yields the processors to others, and waits. */
  Running serveAside(String socket, String... options) throws IOException {
    return serve(NICE, socket, options);
  }

  private Running serve(List<String> before, String socket, String... options) throws IOException {
    String name = socket + servers.size();
    List<String> command = new ArrayList<>(before);
    command.addAll(
        List.of(
            Running.ROOT.resolve("peekpass").toAbsolutePath().toString(),
            "serve",
            dir.resolve("site").toString(),
            "--handoff",
            "unix:" + dir.resolve(socket + ".sock"),
            "--name",
            name,
            // What has waited for it comes at once.
            "--max-connections",
            "18000"));
    command.addAll(List.of(options));
    Running server = Running.start(dir, name, command);
    servers.add(server);
    server.awaitOutput("it serves", () -> server.output().contains("serving"));
    return server;
  }

  /** Writes the configuration. */
  void configure(int threads, boolean log, String backends, String routes) throws IOException {
    configure(threads, log, "", backends, routes);
  }

  /**
   * Writes the configuration.
   *
   * @param listener more of the listener's options, each behind a comma
   */
  void configure(int threads, boolean log, String listener, String backends, String routes)
      throws IOException {
    String yaml =
        """
        access-log: %s
        threads: %d
        listeners:
          - { bind: [%s]%s }
        backends:
        %sroutes:
        %s\
        """
            .formatted(log, threads, binds(), listener, backends.indent(2), routes.indent(2));
    // A reload must see the one or the other, whole.
    Path next = Files.writeString(dir.resolve("next.yaml"), Running.withAdmin(dir, yaml));
    Files.move(next, dir.resolve("peekpass.yaml"), StandardCopyOption.ATOMIC_MOVE);
  }

  private String binds() {
    String both = "\"127.0.0.1:%d\"" + (ipv6 ? ", \"[::1]:%<d\"" : "");
    return both.formatted(port);
  }

  /** Writes the configuration that most use: one acknowledged backend of these sockets. */
  void configure(int threads, String... sockets) throws IOException {
    List<String> handoffs = Stream.of(sockets).map(this::unix).toList();
    configure(
        threads,
        true,
        "web: { handoff: %s, method: acknowledged, hand-off-timeout: 80s, max-queue: 100000 }"
            .formatted(handoffs),
        "- { host: %s, backend: web }".formatted(HOST));
  }

  /** Starts a proxy and waits until it runs. */
  Running proxy(String... options) throws IOException {
    return proxy(0, options);
  }

  /**
   * Starts a proxy and waits until it runs.
   *
   * @param descriptors its limit of them; 0 for what it inherits
   */
  Running proxy(int descriptors, String... options) throws IOException {
    List<String> command = new ArrayList<>(limitedTo(descriptors));
    command.addAll(
        List.of(Running.ROOT.resolve("peekpass").toString(), "run", "-c", dir + "/peekpass.yaml"));
    command.addAll(List.of(options));
    Running proxy = Running.start(dir, "proxy" + proxies.size(), command);
    proxies.add(proxy);
    proxy.awaitOutput("it runs", () -> proxy.errors().contains("running as process"));
    return proxy;
  }

  /** Begins so many connections a second, each for the payload. */
  LoadProgram load(int rate, String... options) throws IOException {
    return load(HOST, rate, options);
  }

  /** Begins so many connections a second for a host, each for the payload. */
  LoadProgram load(String host, int rate, String... options) throws IOException {
    List<String> all = forPayload();
    all.addAll(List.of("-r", "" + rate));
    all.addAll(List.of(options));
    return start(host, all);
  }

  /** Begins so many slow downloads. */
  LoadProgram hold(int downloads) throws IOException {
    List<String> all = forPayload();
    all.addAll(List.of("-k", "" + downloads));
    return start(HOST, all);
  }

  /** Begins so many connections a second, each to be told by the backend who it is. */
  LoadProgram ask(int rate, String... options) throws IOException {
    List<String> all = new ArrayList<>(List.of("-r", "" + rate, "-u", "/.peekpass/whoami"));
    all.addAll(List.of(options));
    return start(HOST, all);
  }

  private List<String> forPayload() {
    return new ArrayList<>(List.of("-u", "/payload", "-f", payload.toString()));
  }

  private LoadProgram start(String host, List<String> options) throws IOException {
    LoadProgram load =
        LoadProgram.start(dir, "load" + loads.size(), port, host, options.toArray(String[]::new));
    loads.add(load);
    return load;
  }

  /** What the proxy answers on its admin socket. */
  String command(String request) throws IOException {
    try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
      channel.connect(UnixDomainSocketAddress.of(dir.resolve("admin.sock")));
      channel.write(ByteBuffer.wrap((request + "\n").getBytes(StandardCharsets.UTF_8)));
      return new String(Channels.newInputStream(channel).readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  /** How many connections wait in the proxy for a backend. */
  int waiting(String backend) throws IOException {
    String status = command("status");
    Matcher matcher = WAITING.matcher(status);
    while (matcher.find()) {
      if (matcher.group(1).equals(backend)) {
        return Integer.parseInt(matcher.group(2));
      }
    }
    throw new AssertionError(status);
  }

  /** What the proxy has counted of something. */
  long counter(String name) {
    String status;
    try {
      status = command("status");
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    Matcher matcher = Pattern.compile("\"" + name + "\":(\\d+)").matcher(status);
    assertThat(matcher.find()).as(status).isTrue();
    return Long.parseLong(matcher.group(1));
  }

  /** How many times each request was answered with the payload, by its number. */
  Map<Integer, Integer> handled() {
    Map<Integer, Integer> times = new HashMap<>();
    for (Running server : servers) {
      Matcher matcher = HANDLED.matcher(server.output());
      while (matcher.find()) {
        times.merge(Integer.parseInt(matcher.group(1)), 1, Integer::sum);
      }
    }
    assertThat(times).isNotEmpty();
    return times;
  }

  /** How many requests reached two backends, or one of them twice. */
  long handledTwice() {
    return handled().values().stream().filter(times -> times > 1).count();
  }

  /**
   * How many descriptors a proxy holds once it has connected to its backends, and has nothing to
   * do.
   */
  long warmUp(Running proxy) throws IOException {
    // Other requests than those that are counted.
    ask(500, "-n", "200").await();
    // What it holds for a last connection, it holds for milliseconds.
    long[] held = {Long.MAX_VALUE, 0};
    Running.await(
        "it is idle",
        () -> {
          held[1] = held[0];
          held[0] = descriptors(proxy);
          LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(100));
          return held[0] == held[1];
        });
    return held[0];
  }

  /** How many descriptors it holds now that it has nothing to do; it may take a moment to do so. */
  static long settled(Running proxy, long before) {
    long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
    while (descriptors(proxy) > before && System.nanoTime() < until) {
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(10));
    }
    return descriptors(proxy);
  }

  /** How many descriptors a process holds. */
  static long descriptors(Running of) {
    try (Stream<Path> all = Files.list(Path.of("/proc/" + of.process.pid() + "/fd"))) {
      return all.count();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  /** How much memory of a process is resident, in KiB. */
  static long residentKib(Running of) {
    try (Stream<String> lines = Files.lines(Path.of("/proc/" + of.process.pid() + "/status"))) {
      return lines
          .filter(line -> line.startsWith("VmRSS:"))
          .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
          .findFirst()
          .orElseThrow();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  @Override
  public void close() {
    loads.forEach(LoadProgram::close);
    proxies.forEach(Running::close);
    servers.forEach(Running::close);
  }
}
