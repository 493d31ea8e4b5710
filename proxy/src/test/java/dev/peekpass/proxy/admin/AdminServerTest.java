package dev.peekpass.proxy.admin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.proxy.Proxy;
import dev.peekpass.proxy.config.ConfigurationReader;
import dev.peekpass.proxy.systemd.Notifier;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AdminServerTest {
  private static final String YAML =
      """
      listeners:
        - { bind: "127.0.0.1:0" }
      backends:
        shop: { handoff: "unix:/nowhere" }
      routes:
        - { host: shop.example, backend: shop }
      """;

  @TempDir private Path dir;
  private final Kernel kernel = LinuxKernel.open();
  private Proxy proxy;
  private AdminServer server;
  private volatile String text = YAML;

  @BeforeEach
  void start() throws IOException {
    var valid = (ConfigurationReader.Valid) ConfigurationReader.read("a.yaml", YAML);
    proxy = Proxy.start(valid.configuration(), LinuxKernel::open, (lines, length, givesUp) -> 0);
    Operations operations =
        new Operations(
            proxy,
            () -> ConfigurationReader.read("a.yaml", text),
            new Notifier(LinuxKernel::open, Map.of()),
            "a.yaml",
            "0");
    server =
        AdminServer.start(LinuxKernel::open, operations, AdminSocket.open(kernel, path(), false));
  }

  @AfterEach
  void stop() throws InterruptedException {
    server.close();
    proxy.stop();
    assertThat(proxy.await()).isTrue();
    assertThat(dir).isEmptyDirectory();
  }

  private String path() {
    return dir.resolve("admin.sock").toString();
  }

  private SocketChannel connect() throws IOException {
    SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
    channel.connect(UnixDomainSocketAddress.of(path()));
    return channel;
  }

  private static void write(SocketChannel channel, String line) throws IOException {
    channel.write(ByteBuffer.wrap(line.getBytes(StandardCharsets.UTF_8)));
  }

  private static String read(SocketChannel channel) throws IOException {
    return new String(Channels.newInputStream(channel).readAllBytes(), StandardCharsets.UTF_8);
  }

  @Test
  void everyRequestGetsALineOfJson() throws IOException {
    assertThat(AdminClient.ask(kernel, path(), "drain shop")).isEqualTo("{\"ok\":true}");
    assertThat(AdminClient.ask(kernel, path(), "status"))
        .contains("\"name\":\"shop\",\"state\":\"drained\"");
    assertThat(AdminClient.ask(kernel, path(), "undrain shop")).isEqualTo("{\"ok\":true}");
    assertThat(AdminClient.ask(kernel, path(), "drain \"\\\u00fc"))
        .startsWith("{\"ok\":false,\"error\":\"no backend is named \\\"\\\"\\\\\u00fc\\\": ");
    assertThat(AdminClient.ask(kernel, path(), "shutdown"))
        .contains("\"ok\":false", "write status");
    assertThat(AdminClient.ask(kernel, path(), "takeover 2")).contains("knows version 1");
    assertThat(AdminClient.ask(kernel, path(), "reload"))
        .isEqualTo("{\"ok\":true,\"warnings\":[],\"notes\":[]}");
    text = YAML.replace("shop }", "shpo }");
    assertThat(AdminClient.ask(kernel, path(), "reload"))
        .contains("\"ok\":false", "\"mistakes\":[\"a.yaml:6:", "shpo");
  }

  @Test
  void aRequestInPiecesIsARequest() throws IOException {
    try (SocketChannel channel = connect()) {
      write(channel, "sta");
      write(channel, "tus\n");
      assertThat(read(channel)).startsWith("{\"ok\":true,").endsWith("}\n");
    }
  }

  @Test
  void junkEndsWithItsConnection() throws IOException {
    try (SocketChannel channel = connect()) {
      write(channel, "x".repeat(2 * AdminServer.MAX_REQUEST_BYTES));
      assertThatThrownBy(
              () -> {
                if (read(channel).isEmpty()) {
                  throw new IOException("ended without a word");
                }
              })
          .isInstanceOf(IOException.class);
    }
    assertThat(AdminClient.ask(kernel, path(), "status")).startsWith("{\"ok\":true,");
  }

  @Test
  void silentClientsAreLimitedInNumberAndTime() throws IOException {
    List<SocketChannel> silent = new ArrayList<>();
    try {
      for (int i = 0; i < AdminServer.MAX_CONNECTIONS; i++) {
        silent.add(connect());
      }
      assertThat(AdminClient.ask(kernel, path(), "status")).contains("8 requests are under way");
      for (SocketChannel channel : silent) {
        assertThat(read(channel)).as("after its time").isEmpty();
      }
    } finally {
      for (SocketChannel channel : silent) {
        channel.close();
      }
    }
    String answer = AdminClient.ask(kernel, path(), "status");
    while (answer.contains("under way")) {
      answer = AdminClient.ask(kernel, path(), "status");
    }
    assertThat(answer).startsWith("{\"ok\":true,");
  }

  @Test
  void aTakeoverThatIsGivenUpChangesNothing() throws IOException {
    for (String last : List.of("", "unwanted 7\n", "unwanted x\n", "hello\n")) {
      try (Takeover takeover = Takeover.begin(kernel, path())) {
        assertThat(takeover.takeAdminSocket("/elsewhere")).isEmpty();
      }
      try (SocketChannel channel = connect()) {
        write(channel, "takeover 1\n" + last);
        if (last.isEmpty()) {
          channel.shutdownOutput();
        }
        assertThat(read(channel)).endsWith("end\n");
      }
    }
    assertThat(AdminClient.ask(kernel, path(), "reload")).startsWith("{\"ok\":true,");
  }

  @Test
  void nothingIsReplacedThatIsNoDeadSocket() throws IOException {
    assertThatThrownBy(() -> AdminSocket.open(kernel, path(), false))
        .hasMessageContaining("EADDRINUSE: process " + ProcessHandle.current().pid());
    Path file = Files.writeString(dir.resolve("file"), "precious");
    assertThatThrownBy(() -> AdminSocket.open(kernel, file.toString(), false))
        .hasMessageContaining("EADDRINUSE: something else is there");
    assertThat(file).hasContent("precious");
    Files.delete(file);
    String deep = dir.resolve("no/such/admin.sock").toString();
    assertThatThrownBy(() -> AdminSocket.open(kernel, deep, false))
        .hasMessageContaining("create it or correct the path");
    assertThatThrownBy(() -> AdminSocket.open(kernel, "/" + "x".repeat(100), false))
        .hasMessageContaining("write a shorter path");
  }
}
