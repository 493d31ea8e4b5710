package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * What the proxy asks of the kernel for a connection whose head is there: five calls, no more, and
 * two for an acknowledgement that comes alone, with a look whether the connection lingers.
 */
@Tag("processes")
class SystemCallTest {
  private static final int CONNECTIONS = 200;

  /** Waits in which strace attached or detached. */
  private static final int OTHER_CALLS = 2;

  private static final Pattern CALL = Pattern.compile("^(\\d+) +(\\w+)\\(.*$");

  /** Whether a connection lingers, which the proxy asks before it closes its own copy. */
  private static final String LOOK = "getsockopt SO_LINGER";

  /** What one client may do, and who may come: it is asked of nobody but of memory. */
  private static final String LIMITS =
      ", max-pending-per-client: 9, max-new-per-client: 100000/s, allow: 127.0.0.0/8, deny: \"::1\"";

  @TempDir private Path dir;

  @ParameterizedTest
  @CsvSource({"persistent, 5, 1, false", "persistent, 5, 1, true", "acknowledged, 7, 2, false"})
  void soManyCallsAConnectionAndNoneThatFails(
      String method, int most, int received, boolean limited) throws Exception {
    int looks = method.equals("acknowledged") ? CONNECTIONS : 0;
    Tool.require("strace");
    Tool.require("openssl");
    try (Site site = new Site(dir, method, limited ? LIMITS : "")) {
      connect(site, 100);
      Map<String, Integer> calls = Map.of();
      // A loop that comes late to its wait asks how many are queued, a call more: on a machine that
      // has too much to do that may happen in one attempt, but hardly in three.
      for (int attempt = 0; attempt < 3; attempt++) {
        calls = traced(site, dir.resolve("trace" + attempt));
        assertThat(calls).containsEntry("accept4", CONNECTIONS);
        assertThat(calls).containsEntry("recvfrom", received * CONNECTIONS);
        assertThat(calls).containsEntry("sendmsg", CONNECTIONS);
        assertThat(calls).containsEntry("close", CONNECTIONS);
        assertThat(calls).doesNotContainKeys("epoll_ctl", "fcntl", "setsockopt", "getpeername");
        assertThat(calls.getOrDefault(LOOK, 0)).isBetween(looks, CONNECTIONS);
        if (sum(calls) <= most * CONNECTIONS + OTHER_CALLS) {
          return;
        }
      }
      assertThat(sum(calls)).as("%s", calls).isLessThanOrEqualTo(most * CONNECTIONS + OTHER_CALLS);
    }
  }

  private Map<String, Integer> traced(Site site, Path trace) throws IOException {
    try (Running strace =
        Running.start(
            dir,
            "strace",
            List.of(
                "strace",
                "-f",
                "-o",
                trace.toString(),
                "-e",
                "trace=accept4,recvfrom,sendmsg,close,epoll_wait,epoll_pwait,epoll_ctl,getsockopt,"
                    + "setsockopt,fcntl,shutdown,socket,connect,getpeername,getsockname,ioctl",
                "-p",
                String.valueOf(site.proxy.process.pid())))) {
      Running.await(
          "strace is attached or refused",
          () -> strace.errors().contains("attached") || !strace.process.isAlive());
      Assumptions.assumeTrue(
          strace.process.isAlive(), () -> "SKIPPED: strace may not attach: " + strace.errors());
      connect(site, CONNECTIONS);
      // A client may have its end before the proxy has closed its own copy.
      Running.await(
          "the proxy has closed its copies",
          () -> count(trace).getOrDefault("close", 0) >= CONNECTIONS);
      strace.stop();
    }
    return count(trace);
  }

  /** All but the looks, of which plain methods make none where strace does not slow them down. */
  private static int sum(Map<String, Integer> calls) {
    return calls.entrySet().stream()
        .filter(call -> !call.getKey().equals(LOOK))
        .mapToInt(Map.Entry::getValue)
        .sum();
  }

  private static void connect(Site site, int count) throws IOException {
    String head = "GET / HTTP/1.1\r\nHost: " + Site.NAME + "\r\nConnection: close\r\n\r\n";
    for (int i = 0; i < count; i++) {
      try (Socket client = new Socket(InetAddress.getLoopbackAddress(), site.port())) {
        client.getOutputStream().write(head.getBytes(StandardCharsets.US_ASCII));
        client.getInputStream().readAllBytes();
      }
    }
  }

  /** Counts the calls of the loop, the thread that accepts; the JVM's own threads call as well. */
  private static Map<String, Integer> count(Path trace) {
    Map<String, Map<String, Integer>> byThread = new TreeMap<>();
    for (String line : Running.read(trace).lines().toList()) {
      if (line.contains("SO_LINGER")) {
        byThread
            .computeIfAbsent(line.substring(0, line.indexOf(' ')), thread -> new TreeMap<>())
            .merge(LOOK, 1, Integer::sum);
        continue;
      }
      Matcher call = CALL.matcher(line);
      if (call.matches()) {
        byThread
            .computeIfAbsent(call.group(1), thread -> new TreeMap<>())
            .merge(call.group(2), 1, Integer::sum);
      }
    }
    return byThread.values().stream()
        .filter(calls -> calls.containsKey("accept4"))
        .findFirst()
        .orElse(Map.of());
  }
}
