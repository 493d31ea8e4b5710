package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The directive: mistakes and their remedies, and what becomes of the socket file. */
@Tag("processes")
class NginxDirectiveTest {
  @TempDir private Path dir;
  private Path socket;

  @BeforeEach
  void require() throws IOException {
    Tool.require("python3");
    NginxModule.require();
    socket = dir.resolve("web.sock");
  }

  private String config(String directives) throws IOException {
    return Nginx.preamble(dir)
        + "daemon off;\nworker_processes 1;\n"
        + directives.replace("SOCKET", "unix:" + socket)
        + """

        events { worker_connections 64; }
        http {
          %s
          server {
            listen unix:%s;
            location = /slow { limit_rate 1; return 200 "%s"; }
            %s
          }
        }
        """
            .formatted(Nginx.httpPreamble(dir), socket, "x".repeat(1000), NginxDeployment.WHO);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '^',
      textBlock =
          """
          peekpass;                             | invalid number of arguments
          peekpass /run/web.sock;               | write "unix:/path"
          peekpass 127.0.0.1:80;                | write "unix:/path"
          peekpass unix:;                       | no path in the unix domain socket
          peekpass unix:/nowhere.sock;          | no "listen unix:/nowhere.sock"
          peekpass SOCKET method=twice;         | must be "persistent", "once" or "datagram"
          peekpass SOCKET methd=once;           | the parameters of "peekpass" are
          peekpass SOCKET batch=0;              | write a number from 1 to 253
          peekpass SOCKET batch=254;            | write a number from 1 to 253
          peekpass SOCKET mode=rw;              | write an octal mode
          peekpass SOCKET mode=0999;            | write an octal mode
          peekpass SOCKET mode=07777;           | write an octal mode
          peekpass SOCKET timeout=soon;         | write a time such as "5s"
          peekpass SOCKET timeout=0;            | write a time such as "5s"
          peekpass SOCKET peer_uid=nobody-such; | write the name or the number of one
          peekpass SOCKET peer_gid=nobody-such; | write the name or the number of one
          peekpass SOCKET owner=nobody-such;    | write the name or the number of one
          peekpass SOCKET owner=0:nobody-such;  | write the name or the number of one
          peekpass SOCKET unmap=perhaps;        | unmap=on|off
          peekpass SOCKET verify=perhaps;       | verify=on|off
          peekpass SOCKET; peekpass SOCKET;     | duplicate
          """)
  void aMistakeIsNamedWithItsRemedy(String directive, String remedy) throws IOException {
    Running.Done done = Nginx.test(dir, config(directive));

    assertThat(done.status()).as(done.errors()).isNotZero();
    assertThat(done.errors()).contains("[emerg]").contains(remedy).contains("test failed");
  }

  @Test
  void everyParameterAtOnceIsRight() throws IOException {
    Running.Done done =
        Nginx.test(
            dir,
            config(
                "peekpass SOCKET method=once peer_uid=0 peer_uid=1 peer_gid=0 mode=0600 owner=0:0"
                    + " unmap=on timeout=500ms batch=253 verify=off;"));

    assertThat(done.status()).as(done.errors()).isZero();
    assertThat(Files.exists(socket)).as("a test leaves the socket alone").isFalse();
  }

  @Test
  void aListenThatCannotBeIsNamed() throws IOException {
    String config = config("peekpass SOCKET;").replace("listen unix:" + socket, "listen 127.0.0.1");

    assertThat(Nginx.test(dir, config).errors()).contains("[emerg]").contains("no \"listen unix:");
  }

  private void expectServing(String method) throws IOException {
    assertThat(Sender.run(dir, socket, method, "passed(path, method, 3)\n"))
        .isEqualTo("answered 3\n");
  }

  @ParameterizedTest
  @ValueSource(strings = {"once", "persistent", "datagram"})
  void theSocketIsForItsOwnerAndGroup(String method) throws IOException {
    for (String mode : new String[] {"", "mode=0600", "mode=0666"}) {
      String config = config("peekpass SOCKET method=%s %s;".formatted(method, mode));
      try (Nginx nginx = Nginx.start(dir, config)) {
        String expected =
            mode.isEmpty() ? "rw-rw----" : mode.endsWith("0600") ? "rw-------" : "rw-rw-rw-";
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)))
            .as(mode)
            .isEqualTo(expected);
        expectServing(method);
        nginx.quit();
      }
      assertThat(Files.exists(socket)).as("it is removed at the end").isFalse();
    }
  }

  @Test
  void theSocketGetsItsOwner() throws IOException {
    String uid = Running.run(dir, "id", "-u").output().strip();
    Assumptions.assumeTrue(uid.equals("0"), () -> "SKIPPED: only root can give a file away");
    try (Nginx nginx = Nginx.start(dir, config("peekpass SOCKET owner=12345:12346;"))) {
      assertThat(Files.getAttribute(socket, "unix:uid")).isEqualTo(12_345);
      assertThat(Files.getAttribute(socket, "unix:gid")).isEqualTo(12_346);
      expectServing("persistent");
      nginx.quit();
    }
  }

  /** Who may write in the directory must not get the mode of another file changed. */
  @ParameterizedTest
  @ValueSource(strings = {"persistent", "datagram"})
  void aReloadFollowsNoSymbolicLink(String method) throws IOException {
    String config = config("peekpass SOCKET method=%s owner=0:0;".formatted(method));
    Path precious = Files.writeString(dir.resolve("precious"), "precious\n");
    Files.setPosixFilePermissions(precious, PosixFilePermissions.fromString("rw-------"));
    try (Nginx nginx = Nginx.start(dir, config)) {
      Files.move(socket, dir.resolve("moved.sock"));
      Files.createSymbolicLink(socket, precious);
      long old = nginx.worker();
      nginx.signal("HUP");
      Running.await("there is another worker", () -> !nginx.workers().contains(old));

      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(precious)))
          .isEqualTo("rw-------");
      nginx.awaitLogged("[emerg]", "peekpass:", "is not a socket", socket.toString());
      // What went wrong with the file does not concern the socket, which is open.
      assertThat(Sender.run(dir, dir.resolve("moved.sock"), method, "passed(path, method, 3)\n"))
          .isEqualTo("answered 3\n");
      nginx.quit();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"once", "persistent", "datagram"})
  void aSocketThatNobodyHasIsReplaced(String method) throws IOException {
    String config = config("peekpass SOCKET method=%s;".formatted(method));
    Nginx killed = Nginx.start(dir, config);
    try {
      expectServing(method);
    } finally {
      killed.close();
    }
    // Nobody was left to remove it.
    assertThat(Files.exists(socket)).isTrue();
    try (Nginx nginx = Nginx.start(dir, config)) {
      expectServing(method);
      nginx.quit();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"once", "persistent", "datagram"})
  void aSocketThatSomebodyHasIsLeftAlone(String method) throws IOException {
    String config = config("peekpass SOCKET method=%s;".formatted(method));
    try (Nginx nginx = Nginx.start(dir, config)) {
      Running.Done tested = Nginx.test(dir, config);
      assertThat(tested.status()).as(tested.errors()).isZero();
      expectServing(method);

      // Another nginx with the same socket. It tries for a while, and gives up.
      Path own = Files.createDirectories(dir.resolve("other"));
      String other = config.replace("pid " + dir, "pid " + own);
      Path file = Files.writeString(own.resolve("nginx.conf"), other);
      Running.Done started =
          Running.run(own, "nginx", "-p", own.toString(), "-c", file.toString(), "-e", "stderr");
      assertThat(started.status()).isNotZero();
      assertThat(started.errors()).contains("Address already in use");
      expectServing(method);
      nginx.quit();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"persistent", "datagram"})
  void whatIsNoSocketIsLeftAlone(String method) throws IOException {
    Files.writeString(socket, "precious\n");
    Path file =
        Files.writeString(
            dir.resolve("nginx.conf"), config("peekpass SOCKET method=%s;".formatted(method)));
    Running.Done started =
        Running.run(dir, "nginx", "-p", dir.toString(), "-c", file.toString(), "-e", "stderr");

    assertThat(started.status()).isNotZero();
    assertThat(Files.readString(socket)).isEqualTo("precious\n");
  }

  @Test
  void theKindOfSocketCannotChangeOnAReload() throws IOException {
    String before = config("peekpass SOCKET method=persistent;");
    try (Nginx nginx = Nginx.start(dir, before)) {
      Files.writeString(dir.resolve("nginx.conf"), config("peekpass SOCKET method=datagram;"));
      nginx.signal("HUP");
      nginx.awaitLogged("[emerg]", socket.toString());
      expectServing("persistent");
      nginx.quit();
    }
  }

  /** Responses that do not end keep an old worker no longer than nginx is told. */
  @ParameterizedTest
  @ValueSource(strings = {"once", "persistent", "datagram"})
  void anOldWorkerEndsInTime(String method) throws IOException {
    String config =
        config("worker_shutdown_timeout 500ms;\npeekpass SOCKET method=%s;".formatted(method));
    String script =
        """
        clients, accepted = pairs(1)
        clients[0].sendall(REQUEST.replace(b"/who", b"/slow"))
        channel = unix(path, method)
        send(channel, accepted)
        passed(path, method, 1)
        # It would take a thousand seconds.
        print("ended after", len(answer(clients[0])) < 900)
        """;
    try (Nginx nginx = Nginx.start(dir, config);
        Running sender = Sender.start(dir, socket, method, script)) {
      sender.awaitOutput("it has passed both", () -> sender.output().contains("answered 1"));
      long old = nginx.worker();
      nginx.signal("HUP");
      Running.await("the old worker has ended", () -> ProcessHandle.of(old).isEmpty());
      assertThat(sender.await()).as(sender.errors()).isZero();
      assertThat(sender.output()).isEqualTo("answered 1\nended after True\n");
      assertThat(nginx.logged("[alert]")).isEmpty();
      expectServing(method);
      nginx.quit();
    }
  }
}
