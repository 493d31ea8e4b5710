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
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The program's jars are overwritten in place, as by cp, while a proxy runs from them. */
class ReplacedFilesTest {
  @TempDir private Path dir;

  /** A program of its own: the launcher, and copies of the jars that it runs. */
  private Path install() throws IOException {
    Path root = Files.createDirectories(dir.resolve("program"));
    Path lib = Files.createDirectories(root.resolve("cli/target/lib"));
    Files.createDirectories(root.resolve("scripts"));
    for (String file : List.of("peekpass", "scripts/find-jdk.sh")) {
      Files.copy(
          Running.ROOT.resolve(file), root.resolve(file), StandardCopyOption.COPY_ATTRIBUTES);
    }
    for (Path jar : jars(Running.ROOT.resolve("cli/target/lib"))) {
      Files.copy(jar, lib.resolve(jar.getFileName()), StandardCopyOption.COPY_ATTRIBUTES);
    }
    return root;
  }

  private static List<Path> jars(Path lib) throws IOException {
    try (Stream<Path> files = Files.list(lib)) {
      return files.filter(file -> file.toString().endsWith(".jar")).toList();
    }
  }

  /** In the same file, of the same length: what has it open reads junk from here on. */
  private static void overwrite(Path root) throws IOException {
    Random random = new Random(1);
    for (Path jar : jars(root.resolve("cli/target/lib"))) {
      byte[] junk = new byte[Math.toIntExact(Files.size(jar))];
      random.nextBytes(junk);
      Files.write(jar, junk);
    }
  }

  private String yaml(String more) {
    return Running.withAdmin(
        dir,
        """
        access-log: true
        listeners:
          - { bind: "127.0.0.1:0" }
        backends:
          shop: { handoff: "unix:%s" }
        routes:
          - { host: shop.example, backend: shop }
        %s
        """
            .formatted(dir.resolve("nobody.sock"), more));
  }

  private void write(String yaml) throws IOException {
    Files.writeString(dir.resolve("peekpass.yaml"), yaml);
  }

  private Running start(Path root, String name, String... more) throws IOException {
    List<String> command =
        Stream.concat(
                Stream.of(
                    root.resolve("peekpass").toString(),
                    "run",
                    "-c",
                    dir.resolve("peekpass.yaml").toString()),
                Stream.of(more))
            .toList();
    Running proxy = Running.start(dir, name, command);
    proxy.awaitOutput("it runs", () -> proxy.errors().contains("running as process"));
    return proxy;
  }

  private String ask(String request) throws IOException {
    try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
      channel.connect(UnixDomainSocketAddress.of(dir.resolve("admin.sock")));
      channel.write(ByteBuffer.wrap((request + "\n").getBytes(StandardCharsets.UTF_8)));
      byte[] answer = Channels.newInputStream(channel).readAllBytes();
      return new String(answer, StandardCharsets.UTF_8);
    }
  }

  private static String get(int port, String head) throws IOException {
    try (Socket client = new Socket(InetAddress.getLoopbackAddress(), port)) {
      client.getOutputStream().write(head.getBytes(StandardCharsets.US_ASCII));
      return new String(client.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
    }
  }

  /** Everything that a proxy may be asked. */
  private void exercise(Running proxy) throws IOException {
    assertThat(ask("status")).startsWith("{\"ok\":true,");
    assertThat(ask("reload")).startsWith("{\"ok\":true,");
    assertThat(ask("drain shop")).isEqualTo("{\"ok\":true}\n");
    assertThat(get(proxy.port(0), "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n"))
        .startsWith("HTTP/1.1 503 ");
    assertThat(ask("undrain shop")).isEqualTo("{\"ok\":true}\n");
    assertThat(ask("drain shpo")).contains("no backend is named");
    assertThat(ask("hello")).contains("unknown request");
    assertThat(ask("takeover 9")).contains("knows version");
    assertThat(get(proxy.port(0), "GET / HTTP/1.1\r\n\r\n")).startsWith("HTTP/1.1 400 ");
    assertThat(get(proxy.port(0), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\njunkjunkjunk")).isNotNull();
    assertThat(get(proxy.port(0), "\u0016\u0003\u0001\u0000\u0004junk")).isNotNull();
    write(yaml("thraeds: 2"));
    assertThat(ask("reload")).contains("thraeds");
    write(yaml(": [ & *"));
    assertThat(ask("reload")).contains("not YAML");
    write(
        yaml(
            """
            fallback: { reject: http-status }
            """
                .replace("http-status", "http-status }\n#")));
    assertThat(ask("reload")).startsWith("{\"ok\":true,");
    proxy.hangUp();
    proxy.awaitOutput(
        "it is reloaded", () -> proxy.errors().split("reloaded; listening", -1).length > 3);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "1"})
  void aRunningProxyNeedsItsFilesNoMore(String withoutCache) throws Exception {
    Path root = install();
    if (withoutCache.isEmpty()) {
      assertThat(Running.run(dir, root.resolve("peekpass").toString(), "aot-cache").status())
          .isZero();
    }
    write(yaml(""));
    try (Running proxy = start(root, "proxy")) {
      overwrite(root);
      exercise(proxy);
      try (Running next = start(Running.ROOT, "next", "--takeover")) {
        assertThat(proxy.await()).as(proxy.errors()).isZero();
        assertThat(next.port(0)).isEqualTo(proxy.port(0));
        assertThat(ask("status")).contains("\"pid\":" + next.process.pid());
        assertThat(next.stop()).isZero();
      }
      assertThat(proxy.errors())
          .contains("stopped; connections")
          .doesNotContain("NoClassDef", "fault");
    }
  }

  @Test
  void aProxyThatIsToldToStopNeedsThemNoMoreEither() throws Exception {
    Path root = install();
    write(yaml(""));
    try (Running proxy = start(root, "proxy")) {
      overwrite(root);
      assertThat(proxy.stop()).isZero();
      assertThat(proxy.errors())
          .contains("stopped; connections")
          .doesNotContain("NoClassDef", "Exception", "Error");
      assertThat(dir.resolve("admin.sock")).doesNotExist();
    }
  }
}
