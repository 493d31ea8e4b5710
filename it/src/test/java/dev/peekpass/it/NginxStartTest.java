package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Senders whom the kernel does not tell: those before the datagram socket asks for it, and those of
 * other user namespaces. Both seem to be of the overflow uid, which is {@code nobody}'s, and often
 * the workers'.
 */
@Tag("processes")
class NginxStartTest {
  private static final int STRANGER = 12_345;
  private static final int NOBODY = 65_534;

  /** Sends a connection as somebody. */
  private static final String SEND =
      """
      def sent(uid):
          clients, accepted = pairs(1)
          if os.fork() == 0:
              become(uid)
              send(unix(path, method), accepted)
              os._exit(0)
          accepted[0].close()
          assert os.wait()[1] == 0
          return clients[0]
      def tell_refused(client):
          try:
              client.sendall(REQUEST)
          except OSError:
              pass
          print(answer(client)[:9])
      """;

  @TempDir private Path dir;
  private Path socket;

  @BeforeEach
  void require() throws IOException {
    Tool.require("python3");
    Assumptions.assumeTrue(
        Running.run(dir, "id", "-u").output().strip().equals("0"),
        () -> "SKIPPED: only root can be another user");
    socket = dir.resolve("web.sock");
  }

  private String config(String user, String directive) throws IOException {
    return Nginx.preamble(dir)
        + """
        daemon off;
        worker_processes 1;
        user %s;
        peekpass unix:%s method=datagram mode=0666 %s;
        events { worker_connections 64; }
        http {
          %s
          server { listen unix:%s; %s }
        }
        """
            .formatted(
                user, socket, directive, Nginx.httpPreamble(dir), socket, NginxDeployment.WHO);
  }

  /** nginx's own default user, whose uid is the overflow uid, and its group. */
  private String nobody() throws IOException {
    Running.Done group = Running.run(dir, "id", "-gn", "nobody");
    assertThat(group.status()).as(group.errors()).isZero();
    return "nobody " + group.output().strip();
  }

  @Test
  void whoeverIsQuickAtTheStartIsRefused() throws IOException {
    Tool.require("cc");
    Path library = dir.resolve("late-credentials.so");
    String source = Running.ROOT.resolve("it/src/test/c/late-credentials.c").toString();
    Running.Done built =
        Running.run(dir, "cc", "-shared", "-fPIC", "-Wall", "-o", library.toString(), source);
    assertThat(built.status()).as(built.errors()).isZero();
    String script =
        SEND
            + """
            while not os.path.exists(path) or os.stat(path).st_mode & 0o222 != 0o222:
                time.sleep(0.001)
            early = [sent(%d) for _ in range(3)]
            open(path + ".go", "w").close()
            for client in early:
                tell_refused(client)
            passed(path, method, 3)
            """
                .formatted(STRANGER);
    try (Running sender = Sender.start(dir, socket, "datagram", script);
        Nginx nginx =
            Nginx.start(
                dir,
                config(nobody(), ""),
                "env",
                "LD_PRELOAD=" + library,
                "GO=" + socket + ".go")) {
      assertThat(sender.await()).as(sender.errors()).isZero();
      assertThat(sender.output())
          .as(nginx.log())
          .isEqualTo("no answer\n".repeat(3) + "answered 3\n");
      nginx.awaitLogged("[warn]", "peekpass: refused 3 message(s)");
      nginx.quit();
    }
  }

  /** A sender of a user namespace in which nginx's users have no number looks like this one. */
  @Test
  void theOverflowUidIsRefusedAndNobodyIsAdvisedToAllowIt() throws IOException {
    try (Nginx nginx = Nginx.start(dir, config(nobody(), ""))) {
      String script = SEND + "tell_refused(sent(%d))\n".formatted(NOBODY);
      assertThat(Sender.run(dir, socket, "datagram", script)).isEqualTo("no answer\n");

      nginx.awaitLogged("[error]", "peekpass: refused", "uid " + NOBODY, "user of its own");
      assertThat(nginx.log()).doesNotContain("peer_uid");
    }
  }

  @Test
  void itCannotBeAllowed() throws IOException {
    for (String parameter :
        new String[] {"peer_uid=nobody", "peer_uid=4294967295", "peer_gid=" + NOBODY}) {
      Running.Done done = Nginx.test(dir, config("root", parameter));

      assertThat(done.status()).as(parameter).isNotZero();
      assertThat(done.errors()).contains(parameter).contains("of its own");
    }
  }
}
