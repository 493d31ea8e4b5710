import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What the agent costs a server: at start-up, and for each connection. Run it in the root of a
 * checkout, after {@code ./peekpass agent-jar} and {@code ./peekpass --version}, on an idle machine:
 *
 * <pre>java bench/AgentCost.java</pre>
 */
public final class AgentCost {
  private static final int STARTS = 21;
  private static final int ROUNDS = 5;
  private static final int CONNECTIONS = 4000;
  private static final Path AGENT = Path.of("agent/target/peekpass-agent.jar");
  private static final String SELF = "bench/AgentCost.java";

  public static void main(String[] arguments) throws Exception {
    if (arguments.length > 0) {
      serve(Integer.parseInt(arguments[0]));
      return;
    }
    Path dir = Files.createTempDirectory("agent-cost");
    Path classes = compile(dir);
    int port;
    try (ServerSocket free = new ServerSocket(0)) {
      port = free.getLocalPort();
    }
    String pair = "*:" + port + "=unix:" + dir.resolve("app.sock");
    for (String flags : new String[] {"", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}) {
      System.out.println(flags.isEmpty() ? "start-up, no flags" : "start-up, " + flags);
      starts("without agent", command(classes, port, flags, null));
      starts("with agent, other port", command(classes, port, flags, "*:1=unix:/nowhere"));
      starts("with agent", command(classes, port, flags, pair));
    }
    System.out.println("CPU time of the server a connection, accepted, answered and closed");
    connections("over TCP", command(classes, port, "", null), port);
    Path config =
        Files.writeString(
            dir.resolve("proxy.yaml"),
            """
            listeners: [ { bind: "127.0.0.1:0" } ]
            backends: { app: { handoff: "unix:%s" } }
            routes: [ { host: a.example, backend: app } ]
            admin: "unix:%s"
            """
                .formatted(dir.resolve("app.sock"), dir.resolve("admin.sock")));
    Process proxy =
        new ProcessBuilder("./peekpass", "run", "-c", config.toString())
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    try {
      String line = proxy.inputReader().readLine();
      int proxyPort = Integer.parseInt(line.substring(line.lastIndexOf(':') + 1));
      connections("handed over, acknowledged", command(classes, port, "", pair), proxyPort);
      connections(
          "handed over, +stream", command(classes, port, "", pair + "+stream"), proxyPort);
    } finally {
      proxy.destroy();
    }
  }

  private static Path compile(Path dir) throws IOException, InterruptedException {
    Path java = Path.of(System.getProperty("java.home"), "bin", "javac");
    int status =
        new ProcessBuilder(java.toString(), "-d", dir.toString(), SELF).inheritIO().start().waitFor();
    if (status != 0) {
      throw new IOException("javac failed");
    }
    return dir;
  }

  private static List<String> command(Path classes, int port, String flags, String pair) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    if (!flags.isEmpty()) {
      command.addAll(Arrays.asList(flags.split(" ")));
    }
    if (pair != null) {
      command.add("-javaagent:" + AGENT + "=" + pair);
    }
    command.addAll(List.of("-cp", classes.toString(), "AgentCost", Integer.toString(port)));
    return command;
  }

  private static Process start(List<String> command) throws IOException {
    Process server =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
    if (server.inputReader().readLine() == null) {
      throw new IOException("did not start: " + command);
    }
    return server;
  }

  private static Duration cpu(Process process) {
    return process.info().totalCpuDuration().orElseThrow();
  }

  /** From exec to listening. */
  private static void starts(String what, List<String> command) throws Exception {
    long[] wall = new long[STARTS];
    long[] cpu = new long[STARTS];
    for (int i = 0; i < STARTS; i++) {
      long start = System.nanoTime();
      Process server = start(command);
      wall[i] = (System.nanoTime() - start) / 1_000_000;
      cpu[i] = cpu(server).toMillis();
      server.destroyForcibly().waitFor();
    }
    Arrays.sort(wall);
    Arrays.sort(cpu);
    System.out.printf(
        "  %-24s %4d ms to listening (least %d), %4d ms of CPU (least %d)%n",
        what, wall[STARTS / 2], wall[0], cpu[STARTS / 2], cpu[0]);
  }

  private static void connections(String what, List<String> command, int port) throws Exception {
    Process server = start(command);
    byte[] head = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
    InetAddress loopback = InetAddress.getLoopbackAddress();
    long[] micros = new long[ROUNDS];
    // The first round warms the JIT up.
    for (int round = -1; round < ROUNDS; round++) {
      Duration before = cpu(server);
      for (int i = 0; i < CONNECTIONS; i++) {
        try (Socket client = new Socket(loopback, port)) {
          client.getOutputStream().write(head);
          client.getInputStream().readAllBytes();
        }
      }
      if (round >= 0) {
        micros[round] = cpu(server).minus(before).toNanos() / 1000 / CONNECTIONS;
      }
    }
    server.destroyForcibly().waitFor();
    Arrays.sort(micros);
    System.out.printf(
        "  %-24s %4d µs (least %d, most %d)%n",
        what, micros[ROUNDS / 2], micros[0], micros[ROUNDS - 1]);
  }

  private static void serve(int port) throws IOException {
    byte[] answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
    try (ServerSocket server = new ServerSocket(port, 1024)) {
      System.out.println("listening");
      while (true) {
        try (Socket client = server.accept()) {
          BufferedReader lines =
              new BufferedReader(
                  new InputStreamReader(client.getInputStream(), StandardCharsets.US_ASCII));
          while (!lines.readLine().isEmpty()) {
            // To the end of the head.
          }
          client.getOutputStream().write(answer);
        }
      }
    }
  }
}
