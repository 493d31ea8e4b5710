package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** nginx with the module under valgrind, through all that a life of it has. */
@Tag("processes")
class NginxMemoryTest {
  private static final List<String> VALGRIND =
      List.of(
          "valgrind",
          "--leak-check=full",
          "--show-leak-kinds=definite,possible",
          // nginx itself leaves some of its memory to the kernel; the module's is looked for below.
          "--errors-for-leak-kinds=none",
          "--track-fds=yes",
          "--error-exitcode=99",
          // The module is unloaded before the leaks are counted, and must be named all the same.
          "--keep-debuginfo=yes",
          "--num-callers=20");

  /** A leak, or a descriptor that is open at the end: a line and the stack that made it. */
  private static final Pattern BLOCK =
      Pattern.compile("^==\\d+== \\S.*\\n(?:==\\d+==    .*\\n)+", Pattern.MULTILINE);

  @TempDir private Path dir;

  @Test
  @Timeout(240)
  void valgrindFindsNothing() throws IOException {
    Tool.require("valgrind");
    Tool.require("python3");
    NginxModule.require();
    String config = config();
    List<String> command = new ArrayList<>(VALGRIND);
    command.add("--log-file=" + dir.resolve("valgrind.%p"));
    try (Nginx nginx = Nginx.start(dir, config, command.toArray(String[]::new))) {
      live(nginx);
      assertThat(nginx.launched.await()).as("status of the master").isZero();
      assertThat(nginx.log()).doesNotContain("exited with code 99").doesNotContain("on signal");
    }
    expectNoFinding();
  }

  /** Directly in the module, where valgrind sees only what is on the heap. */
  @Test
  void addressSanitizerFindsNothing() throws IOException {
    Tool.require("python3");
    String module = NginxModule.require().toString();
    Path library = Path.of(Running.run(dir, "cc", "-print-file-name=libasan.so").output().strip());
    Assumptions.assumeTrue(
        Files.exists(library), () -> "SKIPPED: there is no libasan.so; it comes with gcc");
    Path build = dir.resolve("build");
    Running.Done made =
        Running.run(
            dir,
            "make",
            "-C",
            Running.ROOT.resolve("nginx").toString(),
            "BUILD=" + build,
            "WARNINGS=-g -fno-omit-frame-pointer -fsanitize=address");
    assertThat(made.status()).as(made.output() + made.errors()).isZero();

    String config = config().replace(module, build.resolve("ngx_peekpass_module.so").toString());
    // What nginx itself leaves at the end is no concern here; valgrind looks for leaks.
    try (Nginx nginx =
        Nginx.start(dir, config, "env", "LD_PRELOAD=" + library, "ASAN_OPTIONS=detect_leaks=0")) {
      live(nginx);
      assertThat(nginx.launched.await()).as("status of the master").isZero();
      assertThat(nginx.log() + nginx.launched.errors())
          .doesNotContain("AddressSanitizer")
          .doesNotContain("exited with code 1")
          .doesNotContain("on signal");
    }
  }

  private String config() throws IOException {
    StringBuilder config = new StringBuilder(Nginx.preamble(dir));
    config.append("daemon off;\nworker_processes 1;\n");
    StringBuilder listens = new StringBuilder();
    for (String method : NginxDeployment.METHODS) {
      config.append(
          "peekpass unix:%s/%s.sock method=%s batch=253 unmap=on timeout=1s;%n"
              .formatted(dir, method, method));
      listens.append(
          "listen unix:%s/%s.sock so_keepalive=30m::10 rcvbuf=33000;%n".formatted(dir, method));
    }
    config.append("events { worker_connections 40; }\nhttp {\n");
    config.append(Nginx.httpPreamble(dir));
    config.append("server {\n" + listens + NginxDeployment.WHO + "}\n}\n");

    return config.toString();
  }

  /** All that a life has: serving, a reload, serving, the end. */
  private void live(Nginx nginx) throws IOException {
    exercise();
    long old = nginx.worker();
    nginx.signal("HUP");
    Running.await(
        "the old worker has ended",
        () -> ProcessHandle.of(old).isEmpty() && !nginx.workers().isEmpty());
    exercise();
    nginx.quit();
  }

  private void exercise() throws IOException {
    for (String method : NginxDeployment.METHODS) {
      Path socket = dir.resolve(method + ".sock");
      assertThat(Sender.run(dir, socket, method, LIFE)).as(method).isEqualTo(EXPECTED);
    }
  }

  private static final String LIFE =
      """
      passed(path, method, 20)
      # More in a message than there are places.
      clients, accepted = pairs(60)
      for client in clients:
          client.sendall(REQUEST[:-2])
      send(unix(path, method), accepted)
      for client in clients:
          client.sendall(REQUEST[-2:])
          assert answer(client).startswith(own(client))
      # Refused ones, and clients that have gone.
      for _ in range(3):
          channel = unix(path, method)
          fd = os.open("/dev/null", os.O_RDWR)
          send(channel, [fd])
          os.close(fd)
          try:
              send(channel, [])
          except OSError:
              pass
      for _ in range(3):
          clients, accepted = pairs(1)
          clients[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
          clients[0].close()
          send(unix(path, method), accepted)
      clients, accepted = pairs(2, listener(socket.AF_INET6, "::"))
      send(unix(path, method), accepted)
      ask(clients)
      """;

  private static final String EXPECTED = "answered 20\nanswered 2\n";

  private void expectNoFinding() throws IOException {
    int processes = 0;
    try (Stream<Path> logs = Files.list(dir)) {
      for (Path log : logs.filter(file -> file.toString().contains("valgrind.")).toList()) {
        String text = Files.readString(log, StandardCharsets.ISO_8859_1);
        assertThat(text).as("%s", log).contains("ERROR SUMMARY: 0 errors");
        // The module's one descriptor of its own is for counting those that are open.
        assertThat(BLOCK.matcher(text).results().map(MatchResult::group))
            .as("%s", log)
            .isNotEmpty()
            .filteredOn(block -> block.contains("ngx_peekpass"))
            .allMatch(block -> block.contains(": /proc/self/fd"));
        processes++;
      }
    }
    assertThat(processes).as("processes under valgrind").isGreaterThanOrEqualTo(3);
  }
}
