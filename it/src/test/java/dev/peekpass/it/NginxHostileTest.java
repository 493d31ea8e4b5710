package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Senders that mean ill or are broken: refused, logged, nothing leaks, and nginx goes on serving.
 */
@Tag("processes")
class NginxHostileTest {
  private static final int STRANGER = 12_345;
  private static final int FRIEND = 12_346;

  @TempDir private static Path dir;
  private static @Nullable NginxDeployment started;
  private final NginxDeployment nginx = NginxDeployment.started(started);
  private int logged;

  @BeforeAll
  static void start() throws IOException {
    Tool.require("python3");
    NginxModule.require();
    NginxDeployment.Builder builder =
        NginxDeployment.in(dir)
            .withoutProxy()
            // Not nobody, whose uid is never allowed.
            .main("user daemon;\nworker_processes 1;\n")
            .directive("mode=0666 peer_uid=" + FRIEND + " timeout=500ms");
    // What is logged once is logged once a socket: each kind of test has its own.
    for (String service :
        List.of("junk", "data", "silent", "stranger", "flood", "gone", "blocking", "friend")) {
      builder.http(service, "", NginxDeployment.WHO);
    }
    builder.service("stream", "stream", "127.0.0.1", "", "return \"$remote_port\\n\";\n");
    started = builder.start();
  }

  @AfterAll
  static void stop() {
    if (started != null) {
      started.close();
    }
  }

  @BeforeEach
  void mark() {
    logged = nginx.nginx.log().length();
  }

  private List<String> newlyLogged(String... parts) {
    String fresh = nginx.nginx.log().substring(logged);
    return fresh.lines().filter(line -> Stream.of(parts).allMatch(line::contains)).toList();
  }

  private String send(String service, String method, String script) throws IOException {
    return Sender.run(dir, nginx.socket(service, method), method, script);
  }

  /** Runs a script after which nginx must have as many descriptors as before, and serve. */
  private String expectNoTrace(String service, String method, String script) throws IOException {
    // One first, so that whatever is opened lazily is open.
    assertThat(send(service, method, "passed(path, method, 1)\n")).isEqualTo("answered 1\n");
    long worker = nginx.nginx.worker();
    Running.await("all is quiet", () -> isQuiet(worker));
    long before = Nginx.descriptors(worker);
    String output = send(service, method, script);

    Running.await(
        "no descriptor is left over of " + before + "; nginx says:\n" + nginx.nginx.log(),
        () -> Nginx.descriptors(worker) == before);
    assertThat(send(service, method, "passed(path, method, 3)\n")).isEqualTo("answered 3\n");
    assertThat(nginx.nginx.worker()).as("the same worker").isEqualTo(worker);
    assertThat(newlyLogged("[alert]")).isEmpty();
    return output;
  }

  /** Whether a worker still has what an earlier script left: that goes when nginx has read it. */
  private static boolean isQuiet(long worker) {
    long first = Nginx.descriptors(worker);
    for (int i = 0; i < 5; i++) {
      LockSupport.parkNanos(4_000_000);
      if (Nginx.descriptors(worker) != first) {
        return false;
      }
    }
    return true;
  }

  /** One of each kind that is no client's connection, each between two that are. */
  @ParameterizedTest
  @ValueSource(strings = {"once", "persistent", "datagram"})
  void descriptorsThatAreNoConnectionsAreRefused(String method) throws IOException {
    String output =
        expectNoTrace(
            "junk",
            method,
            """
            kept = []
            def udp():
                s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                s.connect(("127.0.0.1", 9))
                return s.detach()
            def unix_pair():
                a, b = socket.socketpair()
                kept.append(b)
                return a.detach()
            def pipe():
                a, b = os.pipe()
                kept.append(b)
                return a
            kinds = {
                "a file": lambda: os.open("/etc/passwd", os.O_RDONLY),
                "a directory": lambda: os.open("/", os.O_RDONLY),
                "a path": lambda: os.open("/", os.O_PATH),
                "a device": lambda: os.open("/dev/null", os.O_RDWR),
                "a pipe": pipe,
                "an event": lambda: os.eventfd(0),
                "a UDP socket": udp,
                "a UNIX socket": unix_pair,
                "a UNIX datagram socket": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).detach(),
                "an unconnected TCP socket": lambda: socket.socket().detach(),
                "a listening TCP socket": lambda: listener().detach(),
                "a netlink socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).detach(),
            }
            for name, make in kinds.items():
                channel = unix(path, method)
                fd = make()
                if method == "once":
                    send(channel, [fd])
                else:
                    clients, accepted = pairs(2)
                    send(channel, accepted[:1])
                    send(channel, [fd])
                    send(channel, accepted[1:])
                    ask(clients)
                os.close(fd)
                print(name)
            """);

    assertThat(
            output
                .lines()
                .filter(line -> line.startsWith("a"))
                .filter(line -> !line.startsWith("answered")))
        .hasSize(12);
    assertThat(output).doesNotContain("no answer");
    if (!method.equals("once")) {
      assertThat(output.split("answered 2", -1)).hasSize(13);
    }
    assertThat(newlyLogged("peekpass:", "refused a descriptor"))
        .as("logged once, as an error: %s", nginx.nginx.log())
        .hasSize(1)
        .allMatch(line -> line.contains("[error]"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"once", "persistent", "datagram"})
  void messagesWithoutADescriptorAreComplainedAbout(String method) throws IOException {
    expectNoTrace(
        "data",
        method,
        """
        for data in b"P", b"x" * 10, b"y" * 100000, b"":
            channel = unix(path, method)
            try:
                send(channel, [], data)
                send(channel, [], data)
            except (BrokenPipeError, ConnectionResetError):
                pass
            channel.close()
        """);

    assertThat(newlyLogged("peekpass:", "without a descriptor"))
        .as("logged once, as an error: %s", nginx.nginx.log())
        .hasSize(1)
        .allMatch(line -> line.contains("[error]"));
  }

  /** More data than the one byte, around descriptors that are good. */
  @ParameterizedTest
  @ValueSource(strings = {"once", "persistent", "datagram"})
  void moreDataThanAByteDoNotMatter(String method) throws IOException {
    String output =
        expectNoTrace(
            "data",
            method,
            """
            for size in 2, 64, 65, 4096, 60000:
                clients, accepted = pairs(1)
                channel = unix(path, method)
                send(channel, accepted, b"z" * size)
                ask(clients)
                channel.close()
            """);

    assertThat(output).isEqualTo("answered 1\n".repeat(5));
  }

  /** Who connects and says nothing is sent away in time by `once`, and does no harm to others. */
  @ParameterizedTest
  @ValueSource(strings = {"once", "persistent"})
  void silentChannelsDoNoHarm(String method) throws IOException {
    String output =
        expectNoTrace(
            "silent",
            method,
            """
            silent = [unix(path, method) for _ in range(100)]
            passed(path, method, 1)
            if method == "once":
                print(sum(s.recv(1) == b"" for s in silent), "sent away")
            """);

    assertThat(output)
        .isEqualTo(method.equals("once") ? "answered 1\n100 sent away\n" : "answered 1\n");
  }

  private static void requireRoot() throws IOException {
    Assumptions.assumeTrue(
        Running.run(dir, "id", "-u").output().strip().equals("0"),
        () -> "SKIPPED: only root can be another user");
  }

  @ParameterizedTest
  @ValueSource(strings = {"once", "persistent", "datagram"})
  void strangersMayNotHandOver(String method) throws IOException {
    requireRoot();
    String output =
        expectNoTrace(
            "stranger",
            method,
            """
            clients, accepted = pairs(20)
            if os.fork() == 0:
                become(%d)
                for connection in accepted:
                    try:
                        send(unix(path, method), [connection])
                    except (BrokenPipeError, ConnectionResetError):
                        pass
                os._exit(0)
            for connection in accepted:
                connection.close()
            os.wait()
            for client in clients:
                try:
                    client.sendall(REQUEST)
                except OSError:
                    pass
                print(answer(client)[:9])
            """
                .formatted(STRANGER));

    assertThat(output).isEqualTo("no answer\n".repeat(20));
    assertThat(newlyLogged("peekpass:", "uid " + STRANGER, "peer_uid=" + STRANGER))
        .as("logged once, as an error, with the remedy: %s", nginx.nginx.log())
        .hasSize(1)
        .allMatch(line -> line.contains("[error]"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"once", "persistent", "datagram"})
  void friendsAndTheWorkersOwnUserMay(String method) throws IOException {
    requireRoot();
    Running.Done own = Running.run(dir, "stat", "-c", "%u", "/proc/" + nginx.nginx.worker());
    for (String uid : List.of(String.valueOf(FRIEND), own.output().strip())) {
      assertThat(send("friend", method, "become(%s)\npassed(path, method, 3)\n".formatted(uid)))
          .as("uid %s", uid)
          .isEqualTo("answered 3\n");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"persistent", "datagram"})
  void aFloodOfFullMessagesIsSurvived(String method) throws IOException {
    String output =
        expectNoTrace(
            "flood",
            method,
            """
            junk = os.open("/dev/null", os.O_RDWR)
            channel = unix(path, method)
            for _ in range(200):
                send(channel, [junk] * 253)
            clients, accepted = pairs(1)
            send(channel, accepted)
            ask(clients)
            """);

    assertThat(output).isEqualTo("answered 1\n");
    assertThat(newlyLogged("peekpass:", "refused a descriptor"))
        .as("logged once: %s", nginx.nginx.log())
        .hasSize(1);
  }

  @ParameterizedTest
  @ValueSource(strings = {"once", "persistent", "datagram"})
  void clientsThatHaveGoneAreNoErrors(String method) throws IOException {
    String output =
        expectNoTrace(
            "gone",
            method,
            """
            for _ in range(20):
                clients, accepted = pairs(1)
                # A reset, before and after a request.
                clients[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                clients[0].close()
                send(unix(path, method), accepted)
            clients, accepted = pairs(1)
            expected = own(clients[0])
            clients[0].sendall(REQUEST)
            clients[0].shutdown(socket.SHUT_WR)
            send(unix(path, method), accepted)
            print(answer(clients[0]).startswith(expected))
            """);

    assertThat(output).as("a client that has only ended its side").isEqualTo("True\n");
    assertThat(newlyLogged("[error]")).isEmpty();
    assertThat(newlyLogged("[info]", "peekpass:", "client has gone")).isNotEmpty();
  }

  /** The senders here leave connections blocking: nginx must not wait for one of them. */
  @ParameterizedTest
  @ValueSource(strings = {"once", "persistent", "datagram"})
  void blockingConnectionsDoNotBlockTheWorker(String method) throws IOException {
    String output =
        expectNoTrace(
            "blocking",
            method,
            """
            clients, accepted = pairs(10)
            for client, connection in zip(clients, accepted):
                client.sendall(REQUEST[:10])
                send(unix(path, method), [connection])
            passed(path, method, 5)
            for client in clients:
                client.sendall(REQUEST[10:])
            tell(clients)
            """);

    assertThat(output).isEqualTo("answered 5\nanswered 10\n");
  }

  /** A stream server answers before the client has said anything: the reset one is no trouble. */
  @ParameterizedTest
  @ValueSource(strings = {"once", "persistent", "datagram"})
  void clientsOfAStreamServerThatHaveGoneAreNoErrors(String method) throws IOException {
    String output =
        send(
            "stream",
            method,
            """
            for _ in range(20):
                clients, accepted = pairs(2)
                clients[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                clients[0].close()
                channel = unix(path, method)
                send(channel, accepted[:1])
                if method == "once":
                    channel = unix(path, method)
                send(channel, accepted[1:])
                assert clients[1].recv(100) == b"%d\\n" % clients[1].getsockname()[1]
            print("good")
            """);

    assertThat(output).isEqualTo("good\n");
    assertThat(newlyLogged("[error]")).isEmpty();
    assertThat(newlyLogged("[alert]")).isEmpty();
  }
}
