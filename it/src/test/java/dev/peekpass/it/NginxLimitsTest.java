package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** nginx at its limits: what it cannot take waits, and is taken once it can. */
@Tag("processes")
class NginxLimitsTest {
  /** Many more than a worker has places for. */
  private static final int CLIENTS = 100;

  @TempDir private Path dir;

  private NginxDeployment deploy(String method, String main, String events) throws IOException {
    return NginxDeployment.in(dir)
        .methods(method)
        .main("worker_processes 1;\n" + main)
        .events(events)
        // The proxy must not wait for the ends of requests, which the test holds back.
        .service("http", "http", "127.0.0.1", "", NginxDeployment.WHO)
        .start();
  }

  /**
   * Opens more connections than there are places, each with a request of which the end is held
   * back, so that nginx may not close it for want of places. Then ends one request after another.
   */
  private static void expectAllServed(NginxDeployment nginx, String method, String logged)
      throws IOException {
    List<Client> clients = new ArrayList<>();
    String request = Client.get("/who", "Connection: close");
    String rest = request.substring(request.length() - 2);
    try {
      for (int i = 0; i < CLIENTS; i++) {
        Client client = new Client("127.0.0.1", nginx.address("http", method));
        clients.add(client);
        client.send(request.substring(0, request.length() - rest.length()));
      }
      nginx.nginx.awaitLogged("peekpass:", logged);
      List<String> unanswered = new ArrayList<>();
      for (Client client : clients) {
        try {
          client.send(rest);
          String answer = client.readAll();
          if (!answer.contains("\r\n\r\n" + client.who())) {
            unanswered.add(client.who() + answer);
          }
        } catch (IOException e) {
          unanswered.add(client.who() + e);
          break;
        }
      }
      assertThat(unanswered).as("of %d; nginx says:\n%s", CLIENTS, nginx.nginx.log()).isEmpty();
    } finally {
      for (Client client : clients) {
        client.close();
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"once", "persistent", "datagram"})
  void withoutFreeWorkerConnectionsTheyWait(String method) throws IOException {
    try (NginxDeployment nginx = deploy(method, "", "worker_connections 40;\n")) {
      expectAllServed(nginx, method, "worker_connections are not enough");

      assertThat(nginx.nginx.logged("peekpass:", "worker_connections"))
          .as("said once")
          .hasSize(1)
          .allMatch(line -> line.contains("[warn]"));
      expectNothingLeaks(nginx, method);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"once", "persistent", "datagram"})
  void withoutFreeDescriptorsTheyWait(String method) throws IOException {
    try (NginxDeployment nginx =
        deploy(method, "worker_rlimit_nofile 50;\n", "worker_connections 512;\n")) {
      expectAllServed(nginx, method, "worker_rlimit_nofile");

      assertThat(nginx.nginx.logged("peekpass:", "worker_rlimit_nofile"))
          .as("said once")
          .hasSize(1)
          .allMatch(line -> line.contains("[alert]"));
      expectNothingLeaks(nginx, method);
    }
  }

  /** UNIX connections may not take all descriptors, or their clients would wait for ever. */
  @ParameterizedTest
  @ValueSource(strings = {"once", "persistent"})
  void channelsLeaveDescriptorsForTheirConnections(String method) throws IOException {
    Tool.require("python3");
    try (NginxDeployment nginx =
        NginxDeployment.in(dir)
            .methods(method)
            .withoutProxy()
            .main("worker_processes 1;\nworker_rlimit_nofile 50;\n")
            .directive("timeout=60s")
            .http("http", "", NginxDeployment.WHO)
            .start()) {
      String script =
          """
          channels = [unix(path, method) for _ in range(60)]
          print("connected")
          while not os.path.exists(path + ".go"):
              time.sleep(0.01)
          clients, accepted = pairs(60)
          for channel, connection in zip(channels, accepted):
              send(channel, [connection])
              channel.close()
          ask(clients)
          """;
      Path socket = nginx.socket("http", method);
      try (Running sender = Sender.start(dir, socket, method, script)) {
        nginx.nginx.awaitLogged("descriptor");
        Files.createFile(Path.of(socket + ".go"));

        assertThat(sender.await()).as(sender.errors()).isZero();
        assertThat(sender.output()).as(nginx.nginx.log()).isEqualTo("connected\nanswered 60\n");
      }
      nginx.nginx.quit();
    }
  }

  private static void expectNothingLeaks(NginxDeployment nginx, String method) throws IOException {
    // Everything that could be open by now is a channel.
    try (Client client = new Client("127.0.0.1", nginx.address("http", method))) {
      client.send(Client.get("/who", "Connection: close"));
      assertThat(client.readAll()).contains(client.who());
    }
    String tcp = ":" + nginx.port("http", method) + " ";
    Running.await(
        "nginx holds no client's connection",
        () -> {
          try {
            Running.Done ss =
                Running.run(
                    nginx.workDir(), "ss", "-tnpH", "state", "established", "state", "close-wait");
            return ss.output()
                .lines()
                .noneMatch(line -> line.contains(tcp) && line.contains("\"nginx\""));
          } catch (IOException e) {
            throw new AssertionError(e);
          }
        });
  }

  /** Descriptors in one message, handed over by another sender than the proxy. */
  @ParameterizedTest
  @CsvSource({
    "once,3",
    "once,253",
    "persistent,3",
    "persistent,100",
    "persistent,253",
    "datagram,3",
    "datagram,100",
    "datagram,253"
  })
  void severalInOneMessageAreAllServed(String method, int count) throws IOException {
    Tool.require("python3");
    try (NginxDeployment nginx =
        NginxDeployment.in(dir)
            .methods(method)
            .withoutProxy()
            .main("worker_processes 1;\n")
            .directive("batch=253")
            .http("http", "", NginxDeployment.WHO)
            .start()) {
      String script =
          """
          for _ in range(3):
              clients, accepted = pairs(%d)
              send(unix(path, method), accepted)
              ask(clients)
          """
              .formatted(count);

      assertThat(Sender.run(dir, nginx.socket("http", method), method, script))
          .as(nginx.nginx.log())
          .isEqualTo(("answered " + count + "\n").repeat(3));
      assertThat(nginx.nginx.log()).doesNotContain("[alert]").doesNotContain("[error]");
    }
  }

  /** More in one message than there are places: the others wait, and none is lost. */
  @ParameterizedTest
  @ValueSource(strings = {"once", "persistent", "datagram"})
  void severalInOneMessageWaitForPlaces(String method) throws IOException {
    Tool.require("python3");
    try (NginxDeployment nginx =
        NginxDeployment.in(dir)
            .methods(method)
            .withoutProxy()
            .main("worker_processes 1;\n")
            .events("worker_connections 50;\n")
            .directive("batch=253")
            .http("http", "", NginxDeployment.WHO)
            .start()) {
      // All are sent but for their ends, so that each keeps its place until it is its turn.
      String script =
          """
          clients, accepted = pairs(253)
          for client in clients:
              client.sendall(REQUEST[:-2])
          send(unix(path, method), accepted)
          good = 0
          for client in clients:
              client.sendall(REQUEST[-2:])
              good += answer(client).startswith(own(client))
          print("answered", good)
          """;

      assertThat(Sender.run(dir, nginx.socket("http", method), method, script))
          .as(nginx.nginx.log())
          .isEqualTo("answered 253\n");
      assertThat(nginx.nginx.logged("peekpass:", "worker_connections")).hasSize(1);
    }
  }

  /** A message for which there is never room costs its own connections, and no others. */
  @ParameterizedTest
  @ValueSource(strings = {"once", "persistent", "datagram"})
  void aMessageLargerThanTheLimitIsNotTheEnd(String method) throws IOException {
    Tool.require("python3");
    try (NginxDeployment nginx =
        NginxDeployment.in(dir)
            .methods(method)
            .withoutProxy()
            .main("worker_processes 1;\nworker_rlimit_nofile 100;\n")
            .http("http", "", NginxDeployment.WHO)
            .start()) {
      long before = Nginx.descriptors(nginx.nginx.worker());
      String script =
          """
          clients, accepted = pairs(253)
          channel = unix(path, method)
          send(channel, accepted)
          for client in clients:
              client.close()
          passed(path, method, 1)
          """;

      assertThat(Sender.run(dir, nginx.socket("http", method), method, script))
          .as(nginx.nginx.log())
          .isEqualTo("answered 1\n");
      nginx.nginx.awaitLogged("[alert]", "peekpass:", "MSG_CTRUNC");
      Running.await(
          "no descriptor is left over", () -> Nginx.descriptors(nginx.nginx.worker()) <= before);
    }
  }

  /** A worker that is told to end while its places are taken serves what it has received. */
  @Test
  void aReloadWhileConnectionsWaitLosesNone() throws IOException {
    Tool.require("python3");
    String method = "persistent";
    try (NginxDeployment nginx =
        NginxDeployment.in(dir)
            .methods(method)
            .withoutProxy()
            .main("worker_processes 1;\n")
            .events("worker_connections 50;\n")
            .directive("batch=253")
            .http("http", "", NginxDeployment.WHO)
            .start()) {
      String script =
          """
          clients, accepted = pairs(150)
          for client in clients:
              client.sendall(REQUEST[:-2])
          send(unix(path, method), accepted)
          print("sent")
          while not os.path.exists(path + ".go"):
              time.sleep(0.01)
          good = 0
          for client in clients:
              client.sendall(REQUEST[-2:])
              good += answer(client).startswith(own(client))
          print("answered", good)
          """;
      Path socket = nginx.socket("http", method);
      try (Running sender = Sender.start(dir, socket, method, script)) {
        nginx.nginx.awaitLogged("peekpass:", "worker_connections");
        long old = nginx.nginx.worker();
        nginx.nginx.signal("HUP");
        Running.await(
            "the old worker shuts down", () -> Nginx.title(old).contains("shutting down"));
        Files.createFile(Path.of(socket + ".go"));

        assertThat(sender.await()).as(sender.errors()).isZero();
        assertThat(sender.output()).as(nginx.nginx.log()).isEqualTo("sent\nanswered 150\n");
      }
    }
  }
}
