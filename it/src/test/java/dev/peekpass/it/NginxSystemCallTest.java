package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The system calls of nginx for the same load on plain TCP and through the module, side by side:
 * what the module adds, and that all else (nodelay, cork, sendfile) is as it was.
 */
@Tag("processes")
class NginxSystemCallTest {
  private static final int CONNECTIONS = 200;

  /** Calls of the process that have nothing to do with connections: timers, signals. */
  private static final int SLACK = 10;

  private static final Pattern ROW =
      Pattern.compile("^ *[\\d.]+ +[\\d.]+ +\\d+ +(\\d+) +(?:\\d+ +)?(\\w+)$");

  @TempDir private Path dir;

  @Test
  void theModuleAddsWhatItMustAndNoMore() throws IOException {
    Tool.require("strace");
    NginxModule.require();
    Path html = Files.createDirectories(dir.resolve("html"));
    Files.writeString(html.resolve("page"), "p".repeat(20_000));
    try (NginxDeployment nginx =
        NginxDeployment.in(dir)
            .main("worker_processes 1;\n")
            .more("http", "sendfile on;\ntcp_nopush on;\n")
            .http("http", "", "root html;\n")
            .start()) {
      Map<String, Integer> tcp = traced(nginx, "tcp");
      Map<String, Integer> persistent = traced(nginx, "persistent");
      Map<String, Integer> datagram = traced(nginx, "datagram");
      Map<String, Integer> once = traced(nginx, "once");
      print(
          Map.of("1 tcp", tcp, "2 persistent", persistent, "3 datagram", datagram, "4 once", once));

      assertThat(tcp).containsEntry("accept4", CONNECTIONS).containsKeys("sendfile", "setsockopt");
      expectOnly(tcp, persistent, Map.of());
      expectOnly(tcp, datagram, Map.of());
      // A UNIX connection each: accepted, asked for its peer, logged as info, closed.
      expectOnly(
          tcp,
          once,
          Map.of(
              "accept4", CONNECTIONS,
              "close", CONNECTIONS,
              "epoll_ctl", 2 * CONNECTIONS,
              "getsockopt", CONNECTIONS));
    }
  }

  /** Fails if the module makes calls that it need not. */
  private static void expectOnly(
      Map<String, Integer> tcp, Map<String, Integer> module, Map<String, Integer> more) {
    Map<String, Integer> most = new TreeMap<>(tcp);
    // Instead of accept4, with one that finds no more.
    most.put("accept4", 0);
    most.merge("recvmsg", 2 * CONNECTIONS, Integer::sum);
    most.merge("getpeername", CONNECTIONS, Integer::sum);
    most.merge("getsockname", CONNECTIONS, Integer::sum);
    // For verify=on.
    most.merge("getsockopt", CONNECTIONS, Integer::sum);
    most.merge("ioctl", CONNECTIONS, Integer::sum);
    more.forEach((call, count) -> most.merge(call, count, Integer::sum));
    // A timer ticks while descriptors are closed, which takes long under strace.
    most.put("rt_sigreturn", 2 * CONNECTIONS);
    // How often it waits depends on who is faster.
    most.merge("epoll_wait", 2 * CONNECTIONS, Integer::sum);
    module.forEach((call, count) ->
        assertThat(count)
            .as("%s of the module; plain TCP has %s, this %s", call, tcp, module)
            .isLessThanOrEqualTo(most.getOrDefault(call, 0) + SLACK));
    for (String call : List.of("sendfile", "setsockopt", "recvfrom", "writev")) {
      assertThat(module.getOrDefault(call, 0))
          .as("%s as on plain TCP; that has %s, this %s", call, tcp, module)
          .isBetween(tcp.getOrDefault(call, 0) - SLACK, tcp.getOrDefault(call, 0) + SLACK);
    }
  }

  private static void print(Map<String, Map<String, Integer>> tables) {
    Map<String, Map<String, Integer>> sorted = new TreeMap<>(tables);
    TreeSet<String> calls = new TreeSet<>();
    sorted.values().forEach(table -> calls.addAll(table.keySet()));
    StringBuilder out = new StringBuilder();
    out.append(
        "NginxSystemCallTest: calls of nginx for %d connections of 2 requests%n%-16s"
            .formatted(CONNECTIONS, ""));
    sorted.keySet().forEach(name -> out.append("%12s".formatted(name.substring(2))));
    for (String call : calls) {
      out.append("%n%-16s".formatted(call));
      sorted.values().forEach(table -> out.append("%12d".formatted(table.getOrDefault(call, 0))));
    }
    System.out.println(out);
  }

  private Map<String, Integer> traced(NginxDeployment nginx, String method) throws IOException {
    load(nginx, method, 20);
    Path table = dir.resolve("strace-" + method);
    try (Running strace =
        Running.start(
            dir,
            "strace",
            List.of(
                "strace", "-c", "-o", table + "", "-p", String.valueOf(nginx.nginx.worker())))) {
      Running.await(
          "strace is attached or refused",
          () -> strace.errors().contains("attached") || !strace.process.isAlive());
      Assumptions.assumeTrue(
          strace.process.isAlive(), () -> "SKIPPED: strace may not attach: " + strace.errors());
      load(nginx, method, CONNECTIONS);
      strace.stop();
    }
    Map<String, Integer> calls = new TreeMap<>();
    for (String line : Files.readAllLines(table)) {
      Matcher matcher = ROW.matcher(line);
      if (matcher.matches() && !matcher.group(2).equals("total")) {
        calls.put(matcher.group(2), Integer.parseInt(matcher.group(1)));
      }
    }
    return calls;
  }

  private static void load(NginxDeployment nginx, String method, int count) throws IOException {
    for (int i = 0; i < count; i++) {
      try (Client client = new Client("127.0.0.1", nginx.address("http", method))) {
        client.send(Client.get("/page"));
        assertThat(client.response()).hasSize(20_000);
        client.send(Client.get("/page", "Connection: close"));
        assertThat(client.readAll()).endsWith("ppp");
      }
    }
  }
}
