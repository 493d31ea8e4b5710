package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A proxy whose standard output or standard error is stuck, full or gone. */
class OutputTest {
  /** Two seconds and a half at the most, for loops, access log and log one after the other. */
  private static final long STOP_SECONDS = 3;

  /** Enough warnings to fill any pipe. */
  private static final int UNUSED = 700;

  private static final String LINE =
      "\\S+Z client=127[.]0[.]0[.]1:\\d+ listener=\\S+ protocol=http host=a[.]example .* us=\\d+";

  @TempDir private Path dir;

  private String yaml(String more, int unused) {
    String backends =
        IntStream.range(0, unused)
            .mapToObj(
                "  nobody-uses-this-backend-of-a-long-name-%d: { handoff: \"unix:/no\" }\n"
                    ::formatted)
            .collect(Collectors.joining());
    return Running.withAdmin(
        dir,
        """
        listeners:
          - { bind: "127.0.0.1:0" }
        backends:
          web: { handoff: "unix:/nowhere/web.sock", hand-off-timeout: 1ms }
        %sroutes:
          - { host: a.example, backend: web }
        access-log: true
        %s
        """
            .formatted(backends, more));
  }

  private Path write(String yaml) throws IOException {
    return Files.writeString(dir.resolve("peekpass.yaml"), yaml);
  }

  /** Starts {@code peekpass run}, its output redirected as a shell does it. */
  private Running start(String name, String redirections, String... more) throws IOException {
    List<String> command =
        List.of(
            "sh",
            "-c",
            "exec \"$0\" run -c \"$1\" %s %s".formatted(String.join(" ", more), redirections),
            Running.ROOT.resolve("peekpass").toString(),
            dir.resolve("peekpass.yaml").toString());
    return Running.start(dir, name, command);
  }

  /** What the admin socket answers. */
  private String ask(String request) throws IOException {
    try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
      channel.connect(UnixDomainSocketAddress.of(dir.resolve("admin.sock")));
      channel.write(ByteBuffer.wrap((request + "\n").getBytes(StandardCharsets.UTF_8)));
      byte[] answer = Channels.newInputStream(channel).readAllBytes();
      return new String(answer, StandardCharsets.UTF_8);
    }
  }

  /** The proxy's status; empty when nobody answers, as before its start. */
  private String status() {
    try {
      return ask("status");
    } catch (IOException e) {
      return "";
    }
  }

  /** The port that it listens on, asked: it can print nothing. */
  private int port(Running proxy) {
    String[] status = {""};
    Running.await(
        "it listens",
        () -> {
          assertThat(proxy.process.isAlive()).isTrue();
          status[0] = status();
          return !status[0].isEmpty();
        });
    return Integer.parseInt(
        status[0].replaceAll("(?s).*\"address\":\"127[.]0[.]0[.]1:(\\d+)\".*", "$1"));
  }

  private long counted(String counter) {
    return Long.parseLong(status().replaceAll("(?s).*\"" + counter + "\":(\\d+).*", "$1"));
  }

  /** A connection that is refused, since there is no backend: a line in the access log. */
  private static void connect(int port) throws IOException {
    try (Socket client = new Socket(InetAddress.getLoopbackAddress(), port)) {
      client
          .getOutputStream()
          .write("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
      client.getInputStream().readAllBytes();
    }
  }

  private static void awaitError(Running proxy, String text) {
    proxy.awaitOutput("it says " + text, () -> proxy.errors().contains(text));
  }

  /** Sends SIGTERM; the exit status, which must come soon. */
  private static int stopSoon(Running proxy) throws Exception {
    proxy.process.destroy();
    return endSoon(proxy);
  }

  private static int endSoon(Running proxy) throws InterruptedException, TimeoutException {
    if (!proxy.process.waitFor(STOP_SECONDS, TimeUnit.SECONDS)) {
      throw new TimeoutException("it has not ended within " + STOP_SECONDS + " s");
    }
    return proxy.process.exitValue();
  }

  @ParameterizedTest
  @ValueSource(strings = {">$out", "2>$err", ">$out 2>$err"})
  void whoDoesNotReadKeepsItFromNothing(String redirections) throws Exception {
    write(yaml("", UNUSED));
    try (StuckPipe out = StuckPipe.make(dir, "out");
        StuckPipe err = StuckPipe.make(dir, "err");
        Running proxy =
            start("proxy", redirections.replace("$out", out.path()).replace("$err", err.path()))) {
      int port = port(proxy);
      for (int i = 0; i < 20; i++) {
        connect(port);
      }
      assertThat(stopSoon(proxy)).isZero();
      if (!redirections.contains("2>")) {
        assertThat(proxy.errors().replaceAll("warning: .*\n", ""))
            .contains("standard output: nobody read it before it was to end; lines lost: ")
            .contains("stopped; connections by outcome:")
            .contains("access-log-failed=20");
      }
    }
  }

  @Test
  void aTakeoverEndsTheOldProxyThoughNobodyReads() throws Exception {
    write(yaml("", UNUSED));
    try (StuckPipe out = StuckPipe.make(dir, "out");
        StuckPipe err = StuckPipe.make(dir, "err");
        Running old = start("old", ">" + out.path() + " 2>" + err.path())) {
      connect(port(old));
      try (Running next = start("next", ">" + out.path() + " 2>" + err.path(), "--takeover")) {
        Running.await("the next answers", () -> status().contains("\"pid\":" + next.process.pid()));
        assertThat(endSoon(old)).isZero();
        connect(port(next));
        assertThat(stopSoon(next)).isZero();
      }
    }
  }

  @Test
  void aReaderThatGoesOnIsToldWhatItMissed() throws Exception {
    write(yaml("", UNUSED));
    try (StuckPipe err = StuckPipe.make(dir, "err");
        Running proxy = start("proxy", "2>" + err.path())) {
      port(proxy);
      // Its log has room for 8,192 lines, less what is kept for warnings.
      for (int i = 0; i < 14; i++) {
        assertThat(ask("reload")).startsWith("{\"ok\":true");
      }
      assertThat(err.readLineWith("log lines were dropped"))
          .matches(
              "\\S+Z WARN  \\d+ log lines were dropped: standard error was not read fast enough");
      assertThat(stopSoon(proxy)).isZero();
    }
  }

  @Test
  void aFullDiskIsCountedAndToldAndTheProxyGoesOn() throws Exception {
    write(yaml("", 0));
    try (Running proxy = start("proxy", ">/dev/full")) {
      int port = port(proxy);
      for (int i = 0; i < 5; i++) {
        connect(port);
      }
      Running.await("they are counted", () -> counted("access-log-failed") == 5);
      awaitError(proxy, "standard output: write: ENOSPC: make room on its file system");
      assertThat(proxy.errors()).containsOnlyOnce("lines lost");
      assertThat(stopSoon(proxy)).isZero();
      assertThat(proxy.errors()).contains("access-log-failed=5");
    }
  }

  @Test
  void aReaderThatHasEndedIsCountedAndTold() throws Exception {
    write(yaml("", 0));
    try (Running proxy = start("proxy", "| true")) {
      int port = port(proxy);
      connect(port);
      Running.await("it is counted", () -> counted("access-log-failed") == 1);
      awaitError(proxy, "standard output: write: EPIPE: its reader has ended");
      assertThat(proxy.errors()).containsOnlyOnce("lines lost");
    }
  }

  /** The limit cuts a line in two; when the file is begun anew its rest comes first. */
  @Test
  void aFileAtItsGreatestSizeEndsNothingAndIsGoneOnWith() throws Exception {
    write(yaml("", 0));
    Path log = dir.resolve("access.log");
    List<String> command =
        List.of(
            "sh",
            "-c",
            "ulimit -f 2; exec \"$0\" run -c \"$1\" >>\"$2\"",
            Running.ROOT.resolve("peekpass").toString(),
            dir.resolve("peekpass.yaml").toString(),
            log.toString());
    try (Running proxy = Running.start(dir, "proxy", command)) {
      int port = port(proxy);
      while (counted("access-log-failed") == 0) {
        connect(port);
      }
      awaitError(proxy, "standard output: write: EFBIG: its file has the greatest");
      String before = Files.readString(log);
      Files.newByteChannel(log, StandardOpenOption.WRITE).truncate(0).close();
      connect(port);
      Running.await("it is written again", () -> Running.read(log).endsWith("\n"));
      assertLinesAreWhole(before + Files.readString(log));
      assertThat(stopSoon(proxy)).isZero();
    }
  }

  @Test
  void aDiskWithRoomAgainHasWholeLines() throws Exception {
    Path disk = Files.createDirectories(dir.resolve("disk"));
    Assumptions.assumeTrue(
        Running.run(dir, "mount", "-t", "tmpfs", "-o", "size=8k", "none", disk.toString()).status()
            == 0,
        "SKIPPED: only root can mount a small disk");
    Path log = disk.resolve("access.log");
    write(yaml("", 0));
    try {
      Files.write(disk.resolve("filler"), new byte[4096]);
      try (Running proxy = start("proxy", ">>" + log)) {
        int port = port(proxy);
        while (counted("access-log-failed") == 0) {
          connect(port);
        }
        awaitError(proxy, "standard output: write: ENOSPC: make room");
        assertThat(Files.readString(log)).doesNotEndWith("\n");
        Files.delete(disk.resolve("filler"));
        connect(port);
        Running.await("it is written again", () -> Running.read(log).endsWith("\n"));
        assertLinesAreWhole(Files.readString(log));
        assertThat(stopSoon(proxy)).isZero();
      }
    } finally {
      Running.run(dir, "umount", disk.toString());
    }
  }

  private static void assertLinesAreWhole(String text) {
    // In any order: connections come as soon as it listens, not when it says so.
    assertThat(text.lines())
        .hasSizeGreaterThan(1)
        .allMatch(line -> line.matches(LINE + "|peekpass: listening on 127[.]0[.]0[.]1:\\d+"));
  }

  @Test
  void theSameSignalTwiceAtOnceIsOne() throws Exception {
    write(yaml("", 0));
    try (StuckPipe out = StuckPipe.make(dir, "out");
        Running proxy = start("proxy", ">" + out.path())) {
      connect(port(proxy));
      signal(proxy, "kill -TERM $0; kill -TERM $0");
      assertThat(endSoon(proxy)).isZero();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"kill -INT $0; kill -TERM $0", "kill -TERM $0; kill -INT $0"})
  void aTerminalsSignalAndItsSupervisorsAreOne(String signals) throws Exception {
    write(yaml("", 0));
    try (StuckPipe out = StuckPipe.make(dir, "out");
        Running proxy = start("proxy", ">" + out.path())) {
      connect(port(proxy));
      signal(proxy, signals);
      assertThat(endSoon(proxy)).isZero();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"TERM", "INT"})
  void aLaterSignalEndsItAtOnce(String second) throws Exception {
    write(yaml("", 0));
    // What nobody reads keeps it for a second or two.
    try (StuckPipe out = StuckPipe.make(dir, "out");
        Running proxy = start("proxy", ">" + out.path())) {
      connect(port(proxy));
      signal(proxy, "kill -TERM $0");
      proxy.awaitOutput("it stops", () -> proxy.errors().contains("stopping: "));
      signal(proxy, "sleep 0.4; kill -" + second + " $0");
      assertThat(endSoon(proxy)).isEqualTo(second.equals("INT") ? 130 : 143);
    }
  }

  @Test
  void interruptingTwiceEndsItAtOnce() throws Exception {
    write(yaml("", 0));
    try (StuckPipe out = StuckPipe.make(dir, "out");
        Running proxy = start("proxy", ">" + out.path())) {
      connect(port(proxy));
      signal(proxy, "kill -INT $0");
      proxy.awaitOutput("it stops", () -> proxy.errors().contains("stopping: "));
      signal(proxy, "kill -INT $0");
      assertThat(endSoon(proxy)).isEqualTo(130);
    }
  }

  private void signal(Running proxy, String script) throws IOException {
    Running.run(dir, "sh", "-c", script, String.valueOf(proxy.process.pid()));
  }
}
