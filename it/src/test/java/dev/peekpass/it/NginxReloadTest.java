package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** nginx reloads, is upgraded, loses workers: no connection is lost that TCP would have kept. */
@Tag("processes")
class NginxReloadTest {
  private static final boolean LONG = Boolean.getBoolean("peekpass.long");
  private static final int CONNECTIONS = LONG ? 20_000 : 2_500;
  private static final int RELOADS = LONG ? 10 : 4;
  // Fewer than a datagram socket holds, so that all are out of the proxy's hands.
  private static final int QUEUED = 8;
  private static final int BALANCED = 8_000;

  @TempDir private static Path dir;
  private static @Nullable NginxDeployment started;
  private final NginxDeployment nginx = NginxDeployment.started(started);
  private static int lastClient;
  private int logged;

  @BeforeAll
  static void start() throws IOException {
    NginxModule.require();
    // In the background, as only then it can be upgraded.
    started =
        NginxDeployment.in(dir)
            .main("daemon on;\nworker_processes 2;\n")
            .accessLog()
            .http("http", "", NginxDeployment.WHO)
            .start();
  }

  @AfterAll
  static void stop() {
    if (started != null) {
      started.close();
    }
  }

  @BeforeEach
  void markLog() {
    logged = nginx.nginx.log().length();
  }

  private static ConnectionLoad load(NginxDeployment nginx, String method, int count)
      throws IOException {
    return ConnectionLoad.start(
        nginx.dir.resolve("connections-" + method + ".log"), nginx.address("http", method), count);
  }

  private static void report(String what, String method, ConnectionLoad load) {
    System.out.printf(
        "NginxReloadTest: %s, %s: %d failed, %s%n",
        what, method, load.failures().size(), load.served());
  }

  /** What nginx has logged in this test has nothing worse than an error. */
  private static void expectNoAlert(String log) {
    assertThat(log).doesNotContain("[alert]").doesNotContain("[crit]").doesNotContain("[emerg]");
  }

  private void awaitTwoOthers(List<Long> old) {
    Running.await(
        "two other workers serve",
        () -> {
          List<Long> now = nginx.nginx.workers();
          return now.size() == 2 && now.stream().noneMatch(old::contains);
        });
  }

  @EveryMethod
  @Timeout(value = 10, unit = TimeUnit.MINUTES)
  void reloadsUnderLoadLoseNothing(String method) throws IOException {
    try (ConnectionLoad load = load(nginx, method, CONNECTIONS)) {
      load.during(
              RELOADS,
              i -> {
                List<Long> old = nginx.nginx.workers();
                nginx.nginx.signal("HUP");
                awaitTwoOthers(old);
              })
          .await();
      report(CONNECTIONS + " connections, " + RELOADS + " reloads", method, load);

      assertThat(load.failures()).as("%s", load).isEmpty();
      // A persistent channel has one worker, and may miss a reload that the load came early for.
      assertThat(load.served()).as("workers that served").hasSizeGreaterThan(RELOADS / 2);
      expectNoAlert(nginx.nginx.log().substring(logged));
    }
  }

  @EveryMethod
  @Timeout(value = 10, unit = TimeUnit.MINUTES)
  void aBinaryUpgradeUnderLoadLosesNothing(String method) throws IOException {
    long old = nginx.nginx.master();
    try (ConnectionLoad load = load(nginx, method, CONNECTIONS)) {
      load.during(3, i -> upgrade(i, old)).await();
      report(CONNECTIONS + " connections, a binary upgrade", method, load);

      assertThat(load.failures()).as("%s", load).isEmpty();
      assertThat(nginx.nginx.master()).isNotEqualTo(old);
      assertThat(load.served().keySet())
          .as("workers that served")
          .containsAnyElementsOf(nginx.nginx.workers());
      expectNoAlert(nginx.nginx.log().substring(logged));
    }
  }

  /** The steps of nginx's documentation, "Upgrading Executable on the Fly". */
  private void upgrade(int step, long old) throws IOException {
    switch (step) {
      case 0 -> {
        nginx.nginx.signal("USR2", old);
        Running.await(
            "the new master has workers",
            () ->
                nginx.nginx.pid("nginx.pid").filter(pid -> pid != old).isPresent()
                    && nginx.nginx.workers().size() == 2);
      }
      case 1 -> {
        nginx.nginx.signal("WINCH", old);
        Running.await("the old master has no workers", () -> Nginx.workersOf(old).isEmpty());
      }
      default -> {
        nginx.nginx.signal("QUIT", old);
        Running.await("the old master has ended", () -> Nginx.title(old).isEmpty());
      }
    }
  }

  /** Those that the killed worker had are lost, as on TCP, and no others. */
  @EveryMethod
  void killedWorkersUnderLoadLoseOnlyWhatTheyHad(String method) throws IOException {
    int kills = 3;
    try (ConnectionLoad load = load(nginx, method, CONNECTIONS)) {
      load.during(
              kills,
              i -> {
                long killed = nginx.nginx.workers().getFirst();
                nginx.nginx.signal("KILL", killed);
                Running.await(
                    "there is another",
                    () ->
                        nginx.nginx.workers().size() == 2
                            && !nginx.nginx.workers().contains(killed));
              })
          .await();
      report(CONNECTIONS + " connections, " + kills + " workers killed", method, load);

      // While the kernel ends a process more may come down a channel that is still open.
      int most = ConnectionLoad.THREADS * (method.equals("persistent") ? 2 : 1);
      assertThat(load.failures()).as("%s", load).hasSizeLessThanOrEqualTo(kills * most);
    }
  }

  /**
   * Connections that are passed while the workers are frozen lie in the queue. Then one worker is
   * killed, or all are, and what no worker had taken is served by others.
   */
  @ParameterizedTest
  @CsvSource({"tcp,1", "tcp,2", "once,1", "once,2", "datagram,1", "datagram,2"})
  void whatNoWorkerHadTakenIsServedByAnother(String method, int killed) throws IOException {
    assertThat(lostOfQueued(method, killed)).as("connections lost").isZero();
  }

  /** What is queued in a persistent channel is its worker's, and goes with it. */
  @Test
  void whatIsQueuedInAKilledWorkersChannelIsLostAndNothingAfterIt() throws IOException {
    assertThat(lostOfQueued("persistent", 2)).as("connections lost").isEqualTo(QUEUED);
    // The proxy connects anew.
    askOnce("persistent");
  }

  private void askOnce(String method) throws IOException {
    try (Client client = new Client("127.0.0.1", nginx.address("http", method))) {
      client.send(Client.get("/who", "Connection: close"));
      assertThat(client.readAll()).contains(client.who());
    }
  }

  private int lostOfQueued(String method, int killed) throws IOException {
    // One first, so that there is a channel.
    askOnce(method);
    List<Long> workers = nginx.nginx.workers();
    assertThat(workers).hasSize(2);
    for (long worker : workers) {
      nginx.nginx.signal("STOP", worker);
    }
    List<Client> clients = new ArrayList<>();
    try {
      for (int i = 0; i < QUEUED; i++) {
        // An address that no other connection in the proxy's log has.
        Client client = new Client("127.0.2." + ++lastClient, nginx.address("http", method));
        clients.add(client);
        client.send(Client.get("/who", "Connection: close"));
      }
      if (!method.equals(NginxDeployment.TCP)) {
        nginx.awaitPassed(clients);
      }
      for (int i = 0; i < killed; i++) {
        nginx.nginx.signal("KILL", workers.get(i));
      }
      for (long worker : workers.subList(killed, workers.size())) {
        nginx.nginx.signal("CONT", worker);
      }
      int lost = 0;
      for (Client client : clients) {
        lost += isAnswered(client) ? 0 : 1;
      }
      return lost;
    } finally {
      for (Client client : clients) {
        client.close();
      }
      for (long worker : workers) {
        nginx.nginx.resume(worker);
      }
      Running.await("both are back", () -> nginx.nginx.workers().size() == 2);
    }
  }

  private static boolean isAnswered(Client client) {
    try {
      return client.readAll().contains(client.who());
    } catch (IOException e) {
      return false;
    }
  }

  @Test
  void acceptMutexAndMultiAccept(@TempDir Path own) throws IOException {
    try (NginxDeployment other =
        NginxDeployment.in(own)
            .main("worker_processes 3;\n")
            .events(
                """
                worker_connections 512;
                accept_mutex on;
                accept_mutex_delay 20ms;
                multi_accept on;
                """)
            .http("http", "", NginxDeployment.WHO)
            .start()) {
      for (String method : List.of("tcp", "once", "persistent", "datagram")) {
        try (ConnectionLoad load = load(other, method, CONNECTIONS / 2)) {
          load.during(2, i -> other.nginx.signal("HUP")).await();
          report("accept_mutex, multi_accept, 2 reloads", method, load);

          assertThat(load.failures()).as("%s: %s", method, load).isEmpty();
        }
      }
      expectNoAlert(other.nginx.log());
    }
  }

  @Test
  @Timeout(value = 10, unit = TimeUnit.MINUTES)
  void datagramBalancesOverTheWorkers(@TempDir Path own) throws IOException {
    try (NginxDeployment other =
        NginxDeployment.in(own)
            .methods("datagram")
            .main("worker_processes 4;\n")
            .http("http", "", NginxDeployment.WHO)
            .start()) {
      List<Integer> shares = List.of();
      // Who is first is the scheduler's choice: on a machine that has too much to do it may be
      // unfair in one attempt, but hardly in three.
      for (int attempt = 0; attempt < 3; attempt++) {
        try (ConnectionLoad load = load(other, "datagram", BALANCED)) {
          load.await();
          report(BALANCED + " connections, 4 workers", "datagram", load);

          assertThat(load.failures()).as("%s", load).isEmpty();
          shares = List.copyOf(load.served().values());
        }
        if (shares.size() == 4 && shares.stream().allMatch(share -> share >= BALANCED / 10)) {
          return;
        }
      }
      assertThat(shares)
          .hasSize(4)
          .allSatisfy(share -> assertThat(share).isGreaterThanOrEqualTo(BALANCED / 10));
    }
  }
}
