package dev.peekpass.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.proxy.admin.AdminClient;
import dev.peekpass.proxy.admin.CarriedTakeover;
import dev.peekpass.proxy.admin.Takeover;
import dev.peekpass.proxy.admin.TakeoverTimes;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A takeover in which one of the two processes is killed, stopped or told to end, at each step of
 * the new one. Afterwards exactly one serves, and answers where the admin socket is.
 */
class TakeoverFaultTest {
  private static final Duration LONG = Duration.ofSeconds(50);
  private static final Duration LONGER = Duration.ofSeconds(60);

  /** What is exceeded on purpose. */
  private static final Duration SHORT = Duration.ofMillis(1500);

  private static final Duration SHORTER = Duration.ofSeconds(1);

  @TempDir private Path dir;

  @BeforeEach
  void configure() throws IOException {
    Files.writeString(
        dir.resolve("peekpass.yaml"),
        """
        admin: "unix:%s"
        listeners:
          - bind: "127.0.0.1:0"
        backends:
          shop: { handoff: "unix:%s" }
        routes:
          - { host: shop.example, backend: shop }
        """
            .formatted(admin(), dir.resolve("nobody.sock")));
  }

  private Path admin() {
    return dir.resolve("admin.sock");
  }

  private HeldProcess old(Duration patience) throws IOException {
    HeldProcess old = HeldProcess.start(dir, "old", null, false, patience, patience.dividedBy(2));
    awaitOrEnd(old, old::awaitRunning);
    return old;
  }

  private HeldProcess young(Start.Step step, Duration patience) throws IOException {
    HeldProcess young =
        HeldProcess.start(dir, "young", step, true, patience.multipliedBy(2), patience);
    awaitOrEnd(young, young::awaitHeld);
    return young;
  }

  private static void awaitOrEnd(HeldProcess process, Runnable wait) {
    boolean done = false;
    try {
      wait.run();
      done = true;
    } finally {
      if (!done) {
        process.close();
      }
    }
  }

  /** The process that answers on the admin socket, and what it says of its clients. */
  private Map<String, Object> status() throws IOException {
    return JsonObject.parse(AdminClient.ask(LinuxKernel.open(), admin().toString(), "status"));
  }

  private static long accepted(Map<String, Object> status) {
    return status.get("counters") instanceof Map<?, ?> counters
            && counters.get("accepted") instanceof Number number
        ? number.longValue()
        : -1;
  }

  /** Every client is answered by this process, which also answers on the admin socket. */
  private void assertServes(HeldProcess server, int port) throws IOException {
    assertThat(server.isAlive()).as(server.errors()).isTrue();
    assertThat(admin()).exists();
    // Another may still be on its way out with a request.
    server.await("it is the one that answers", () -> pidOfStatus() == server.pid());
    long before = accepted(status());
    for (int i = 0; i < 20; i++) {
      try (Socket client = new Socket(InetAddress.getLoopbackAddress(), port)) {
        client.setSoTimeout(20_000);
        client
            .getOutputStream()
            .write("GET / HTTP/1.1\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
        assertThat(new String(client.getInputStream().readAllBytes(), StandardCharsets.US_ASCII))
            .startsWith("HTTP/1.1 400 ");
      }
    }
    assertThat(accepted(status()) - before).isEqualTo(20);
    // Nothing is left half-way: it can be asked to change something.
    String answer = AdminClient.ask(LinuxKernel.open(), admin().toString(), "drain shop");
    assertThat(answer).isEqualTo("{\"ok\":true}");
  }

  private long pidOfStatus() {
    try {
      return status().get("pid") instanceof Number pid ? pid.longValue() : -1;
    } catch (IOException e) {
      return -1;
    }
  }

  private void assertEndsWell(HeldProcess server) throws Exception {
    server.signal("TERM");
    assertThat(server.awaitEnd()).as(server.errors()).isZero();
    assertThat(admin()).doesNotExist();
  }

  @ParameterizedTest
  @EnumSource(Start.Step.class)
  void aNewProcessThatIsKilledLeavesTheOldOneServing(Start.Step step) throws Exception {
    try (HeldProcess old = old(LONGER);
        HeldProcess young = young(step, LONG)) {
      int port = old.port();
      young.signal("KILL");
      young.awaitEnd();

      assertServes(old, port);
      assertThat(old.errors()).doesNotContain("ERROR");
      assertEndsWell(old);
    }
  }

  @ParameterizedTest
  @EnumSource(value = Start.Step.class, mode = EnumSource.Mode.EXCLUDE, names = "LOAD")
  void anOldProcessThatIsKilledIsReplaced(Start.Step step) throws Exception {
    try (HeldProcess old = old(LONGER);
        HeldProcess young = young(step, LONG)) {
      int port = old.port();
      old.signal("KILL");
      old.awaitEnd();
      young.release();
      young.awaitRunning();

      // Before it has asked it gets no sockets, and binds another port.
      assertServes(young, step == Start.Step.ASK ? young.port() : port);
      assertThat(young.errors())
          .containsPattern(
              step == Start.Step.ASK
                  ? "no proxy answers at unix:.*starting without one"
                  : step.compareTo(Start.Step.READY) > 0
                      ? "took over"
                      : "the running proxy \\(process " + old.pid() + "\\) ended during the");
      assertEndsWell(young);
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Start.Step.class,
      names = {"ADMIN", "BIND", "ANSWER", "READY", "ACCEPT", "LET_GO"})
  void anOldProcessThatIsToldToStopIsReplaced(Start.Step step) throws Exception {
    try (HeldProcess old = old(LONGER);
        HeldProcess young = young(step, LONG)) {
      int port = old.port();
      old.signal("TERM");
      assertThat(old.awaitEnd()).as(old.errors()).isZero();
      young.release();
      young.awaitRunning();

      assertServes(young, port);
      assertEndsWell(young);
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Start.Step.class,
      names = {"ASK", "ADMIN", "BIND", "ANSWER", "READY"})
  void anOldProcessThatHangsGoesOnOnceItRuns(Start.Step step) throws Exception {
    try (HeldProcess old = old(SHORT);
        HeldProcess young = young(step, SHORTER)) {
      int port = old.port();
      old.signal("STOP");
      young.release();
      assertThat(young.awaitEnd()).as(young.errors()).isOne();
      old.signal("CONT");

      assertThat(young.errors())
          .contains(
              step == Start.Step.ASK
                  ? "does not answer within 1 s: it is stopped or hangs; nothing has changed"
                  : "it has accepted nothing, and the running proxy (process " + old.pid());
      assertServes(old, port);
      assertThat(old.errors()).contains("given up: ", "; going on").doesNotContain("ERROR");
      assertEndsWell(old);
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Start.Step.class,
      names = {"ACCEPT", "LET_GO"})
  void anOldProcessThatHangsOnceItHasLetGoEndsWhenItRuns(Start.Step step) throws Exception {
    try (HeldProcess old = old(SHORT);
        HeldProcess young = young(step, SHORTER)) {
      int port = old.port();
      old.signal("STOP");
      young.release();
      young.awaitRunning();
      old.signal("CONT");
      assertThat(old.awaitEnd()).as(old.errors()).isZero();

      assertServes(young, port);
      assertEndsWell(young);
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Start.Step.class,
      names = {"ASK", "ADMIN", "BIND", "ANSWER", "READY"})
  void aNewProcessThatIsTooLateEnds(Start.Step step) throws Exception {
    try (HeldProcess old = old(SHORT);
        HeldProcess young = young(step, SHORTER)) {
      int port = old.port();
      young.signal("STOP");
      if (step == Start.Step.ASK) {
        // It has not asked yet, and has all its time still.
        LockSupport.parkNanos(2 * SHORT.toNanos());
        young.signal("CONT");
        young.release();
        young.awaitRunning();
        assertThat(old.awaitEnd()).as(old.errors()).isZero();
        assertServes(young, port);
        return;
      }
      old.await("it gives up", () -> old.errors().contains("given up: it was not ready within"));
      assertServes(old, port);
      young.signal("CONT");
      young.release();
      assertThat(young.awaitEnd()).as(young.errors()).isOne();

      assertThat(young.errors())
          .contains(
              "peekpass: the running proxy refuses: the takeover was given up: it was not ready"
                  + " within 1500 ms");
      assertServes(old, port);
      assertThat(young.output()).doesNotContain("listening");
      assertEndsWell(old);
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Start.Step.class,
      names = {"ACCEPT", "LET_GO"})
  void aNewProcessThatHangsOnceItMayAcceptTakesOverWhenItRuns(Start.Step step) throws Exception {
    try (HeldProcess old = old(SHORT);
        HeldProcess young = young(step, SHORTER)) {
      int port = old.port();
      young.signal("STOP");
      LockSupport.parkNanos(2 * SHORT.toNanos());
      assertThat(old.isAlive()).isTrue();
      young.signal("CONT");
      young.release();
      young.awaitRunning();
      assertThat(old.awaitEnd()).as(old.errors()).isZero();

      assertServes(young, port);
      assertEndsWell(young);
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Start.Step.class,
      names = {"READY", "ACCEPT"})
  void aNewProcessThatIsToldToStopBeforeItServesNeverDoes(Start.Step step) throws Exception {
    try (HeldProcess old = old(LONGER);
        HeldProcess young = young(step, LONG)) {
      int port = old.port();
      young.signal("TERM");
      young.await("it knows", () -> young.errors().contains("stopping before it served"));
      young.release();
      assertThat(young.awaitEnd()).as(young.errors()).isZero();

      assertThat(young.errors()).contains("stopped by a signal before it served");
      assertServes(old, port);
      assertEndsWell(old);
    }
  }

  /** What fails before it has asked is nothing to the old one, which was not asked. */
  @ParameterizedTest
  @ValueSource(strings = {"thread: 1", "admin: \"unix:%s/nowhere/admin.sock\""})
  void aNewProcessThatEndsBeforeItHasAskedSaysWhy(String key) throws Exception {
    try (HeldProcess old = old(LONGER)) {
      int port = old.port();
      Path file = dir.resolve("peekpass.yaml");
      String text = Files.readString(file).replaceAll("admin: .*", key.formatted(dir));
      Files.writeString(file, text);
      try (HeldProcess young = HeldProcess.start(dir, "young", null, true, LONGER, LONG)) {
        assertThat(young.awaitEnd()).as(young.errors()).isOne();
        assertThat(young.errors())
            .contains(
                key.startsWith("thread")
                    ? "\"thread\" is not a key of a configuration"
                    : "peekpass: admin socket unix:" + dir + "/nowhere/admin.sock: ");
      }
      assertThat(old.errors()).doesNotContain("takeover", "ERROR");
      assertServes(old, port);
      assertEndsWell(old);
    }
  }

  /** Between the two programs of a start, see docs/adr/0028-two-stages.md. */
  @Test
  void anOldProcessThatIsKilledBetweenTwoProgramsIsReplaced() throws Exception {
    TakeoverTimes times = new TakeoverTimes(LONGER, LONG);
    LinuxKernel kernel = LinuxKernel.open();
    try (HeldProcess old = old(LONGER)) {
      CarriedTakeover carried = Takeover.begin(kernel, admin().toString(), times).carry();
      old.signal("KILL");
      old.awaitEnd();
      try (Takeover resumed = Takeover.resume(kernel, carried, times)) {
        resumed.awaitTaken(Set.of(), false);
        assertThat(resumed.takeSockets().sockets())
            .hasSize(1)
            .allMatch(one -> kernel.close(one.fd()) == 0);
      }
    }
  }

  @Test
  void theProcessThatServesIsTheOneThatTheKernelNames() throws Exception {
    try (HeldProcess old = old(LONGER);
        HeldProcess young = young(Start.Step.LET_GO, LONG)) {
      int port = old.port();
      young.release();
      young.awaitRunning();
      assertThat(old.awaitEnd()).isZero();
      try (HeldProcess third =
          HeldProcess.start(dir, "third", Start.Step.READY, true, LONGER, LONG)) {
        third.awaitHeld();
        assertThat(third.errors()).contains("taking over from process " + young.pid());
        young.signal("KILL");
        young.awaitEnd();
        third.release();
        third.awaitRunning();
        assertServes(third, port);
      }
    }
  }
}
