package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Options of {@code listen}, and what nginx counts and logs, as on TCP. */
@Tag("processes")
class NginxListenTest {
  private static final String CLIENT = "127.0.0.2";
  private static final String DEBUGGED = "127.0.0.5";

  @TempDir private static Path dir;
  private static @Nullable NginxDeployment started;
  private static int statusPort;
  private final NginxDeployment nginx = NginxDeployment.started(started);

  @BeforeAll
  static void start() throws IOException {
    NginxModule.require();
    statusPort = NginxDeployment.freePort();
    started =
        NginxDeployment.in(dir)
            .events("worker_connections 512;\ndebug_connection " + DEBUGGED + ";\n")
            .more(
                "http",
                "server { listen 127.0.0.1:%d; location / { stub_status; } }\n"
                    .formatted(statusPort))
            .http("plain", "", NginxDeployment.WHO)
            .http("tuned", "so_keepalive=30m:7:5 rcvbuf=100000 sndbuf=44000", NginxDeployment.WHO)
            .http("kept", "so_keepalive=on", NginxDeployment.WHO)
            .start();
  }

  @AfterAll
  static void stop() {
    if (started != null) {
      started.close();
    }
  }

  private Client client(String from, String service, String method) throws IOException {
    return new Client(from, nginx.address(service, method));
  }

  /** What stub_status counts. The request that asks is in it. */
  private record Status(long active, long accepts, long handled, long requests) {
    private static final Pattern TEXT =
        Pattern.compile("Active connections: (\\d+) \\n.*\\n (\\d+) (\\d+) (\\d+) \\n");

    static Status now() throws IOException {
      try (Client client =
          new Client(
              "127.0.0.1", new InetSocketAddress(InetAddress.getLoopbackAddress(), statusPort))) {
        client.send(Client.get("/", "Connection: close"));
        String text = client.readAll();
        Matcher matcher = TEXT.matcher(text);
        assertThat(matcher.find()).as(text).isTrue();
        return new Status(
            Long.parseLong(matcher.group(1)),
            Long.parseLong(matcher.group(2)),
            Long.parseLong(matcher.group(3)),
            Long.parseLong(matcher.group(4)));
      }
    }

    /** Waits for counts that are as they should be: a worker may be late to count. */
    static Status when(String what, Predicate<Status> condition) {
      Status[] last = new Status[1];
      Running.await(
          what,
          () -> {
            try {
              last[0] = now();
              return condition.test(last[0]);
            } catch (IOException e) {
              throw new AssertionError(e);
            }
          });
      return last[0];
    }
  }

  @EveryMethod
  void stubStatusCountsClientsAndNotTheChannels(String method) throws IOException {
    int count = 40;
    try (Client first = client(CLIENT, "plain", method)) {
      // By now the proxy has its channel, if the method has one.
      first.send(Client.get("/who"));
      assertThat(first.response()).startsWith(first.who());
    }
    Status before = Status.when("only the one that asks is active", s -> s.active() == 1);

    List<Client> clients = new ArrayList<>();
    try {
      for (int i = 0; i < count; i++) {
        Client client = client(CLIENT, "plain", method);
        clients.add(client);
        client.send(Client.get("/who"));
        assertThat(client.response()).startsWith(client.who());
      }
      Status during = Status.now();

      assertThat(during)
          .isEqualTo(
              new Status(
                  count + 1,
                  before.accepts() + count + 1,
                  before.handled() + count + 1,
                  before.requests() + count + 1));
    } finally {
      for (Client client : clients) {
        client.close();
      }
    }
    Status.when("all have gone", s -> s.active() == 1);
  }

  @EveryMethod
  void debugConnectionChoosesAClient(String method) throws IOException {
    String log = nginx.nginx.log();
    try (Client client = client(CLIENT, "plain", method)) {
      client.send(Client.get("/who?not-me-" + method, "Connection: close"));
      assertThat(client.readAll()).contains(client.who());
    }
    assertThat(nginx.nginx.log().substring(log.length())).doesNotContain("[debug]");

    try (Client client = client(DEBUGGED, "plain", method)) {
      client.send(Client.get("/who?me-" + method, "Connection: close"));
      assertThat(client.readAll()).contains(client.who());
    }
    nginx.nginx.awaitLogged("[debug]", "http request line: \"GET /who?me-" + method);
    assertThat(nginx.nginx.log()).doesNotContain("not-me-");
  }

  /** What ss says of nginx's end of a connection. */
  private String ss(Client client) throws IOException {
    Tool.require("ss");
    Running.Done done =
        Running.run(
            nginx.workDir(),
            "ss",
            "-tnomH",
            "( sport = :%d and dport = :%d )"
                .formatted(client.socket.getPort(), client.socket.getLocalPort()));
    assertThat(done.output()).as(done.errors()).contains(":" + client.socket.getLocalPort());
    return done.output();
  }

  private static String field(String pattern, String text) {
    Matcher matcher = Pattern.compile(pattern).matcher(text);
    return matcher.find() ? matcher.group(1) : "none in " + text;
  }

  @EveryMethod
  void buffersAndKeepaliveAreTheListenDirectives(String method) throws IOException {
    try (Client client = client(CLIENT, "tuned", method)) {
      client.send(Client.get("/who"));
      assertThat(client.response()).startsWith(client.who());
      String said = ss(client);

      // The kernel doubles what it is asked for, socket(7).
      assertThat(field("[(,]rb(\\d+)", said)).as(said).isEqualTo("200000");
      assertThat(field("[(,]tb(\\d+)", said)).as(said).isEqualTo("88000");
      assertThat(field("timer:\\(keepalive,(\\d+)min", said)).as(said).isIn("29", "30");
    }
  }

  @EveryMethod
  void keepaliveIsOnWhereAskedFor(String method) throws IOException {
    try (Client client = client(CLIENT, "kept", method)) {
      client.send(Client.get("/who"));
      assertThat(client.response()).startsWith(client.who());

      // After the kernel's default, tcp_keepalive_time, and not nginx's.
      assertThat(ss(client)).contains("timer:(keepalive,");
    }
    try (Client client = client(CLIENT, "plain", method)) {
      client.send(Client.get("/who"));
      assertThat(client.response()).startsWith(client.who());

      assertThat(ss(client)).doesNotContain("timer:(keepalive,");
    }
  }

  /** A dual-stack listener of another proxy: an IPv4 client has a v4-mapped address there. */
  private static final String MAPPED =
      """
      clients, accepted = pairs(1, listener(socket.AF_INET6, "::"))
      send(unix(path, method), accepted)
      clients[0].sendall(REQUEST)
      print(answer(clients[0]))
      print(clients[0].getsockname()[1], clients[0].getpeername()[1])
      """;

  @ParameterizedTest
  @ValueSource(strings = {"once", "persistent", "datagram"})
  void aMappedAddressIsUnmappedWhereAskedFor(String method) throws IOException {
    Tool.require("python3");
    for (String unmap : List.of("on", "off")) {
      Path own = Files.createDirectories(dir.resolve(method + unmap));
      try (NginxDeployment mapped =
          NginxDeployment.in(own)
              .methods(method)
              .withoutProxy()
              .directive("unmap=" + unmap)
              .http("who", "", NginxDeployment.WHO)
              .start()) {
        String answer = Sender.run(own, mapped.socket("who", method), method, MAPPED);
        String[] lines = answer.split("\n", -1);
        String prefix = unmap.equals("on") ? "" : "::ffff:";

        assertThat(lines[0])
            .startsWith(
                "%1$s127.0.0.1 %2$s %1$s127.0.0.1 %3$s "
                    .formatted(prefix, lines[1].split(" ", -1)[0], lines[1].split(" ", -1)[1]));
      }
    }
  }
}
