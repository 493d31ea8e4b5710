package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Descriptors that would make close(2) wait: of connections with SO_LINGER and unsent data, closed
 * for the last time by nginx, which refuses them. No worker may wait for them.
 */
@Tag("processes")
class NginxLingerTest {
  private static final int STRANGER = 12_345;
  private static final int LINGER_SECONDS = 100;

  /** Sends what lingers as somebody else while the worker is frozen, so that its close is last. */
  private static final String ATTACK =
      """
      import resource, signal
      # 20 s are enough for anything but a wait, on any machine.
      PATIENCE = 20
      peers = []
      def lingering(count):
          server = socket.socket()
          server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
          server.bind(("127.0.0.1", 0))
          server.listen(1024)
          made = []
          for _ in range(count):
              s = socket.socket()
              s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
              s.connect(server.getsockname())
              peers.append(server.accept()[0])
              s.setblocking(False)
              try:
                  while True:
                      s.send(b"x" * 65536)
              except BlockingIOError:
                  pass
              s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, %1$d))
              made.append(s)
          return made
      def attack(worker, uid, messages, size, then=lambda: None):
          os.kill(worker, signal.SIGSTOP)
          attacks = [lingering(size) for _ in range(messages)]
          if os.fork() == 0:
              become(uid)
              # All leave the sender before nginx looks at them.
              for sockets in attacks:
                  send(unix(path, method), sockets)
              os._exit(0)
          for sockets in attacks:
              for s in sockets:
                  s.close()
          assert os.wait()[1] == 0
          then()
          os.kill(worker, signal.SIGCONT)
      """
          .formatted(LINGER_SECONDS);

  @TempDir private Path dir;

  @BeforeEach
  void require() throws IOException {
    Tool.require("python3");
    Assumptions.assumeTrue(
        Running.run(dir, "id", "-u").output().strip().equals("0"),
        () -> "SKIPPED: only root can be another user");
  }

  private NginxDeployment deploy(String method, String main) throws IOException {
    return NginxDeployment.in(dir)
        .methods(method)
        .withoutProxy()
        .main("worker_processes 1;\n" + main)
        .directive("mode=0666")
        .http("http", "", NginxDeployment.WHO)
        .start();
  }

  private String run(NginxDeployment nginx, String method, String script) throws IOException {
    String output = Sender.run(dir, nginx.socket("http", method), method, ATTACK + script);
    assertThat(nginx.nginx.log()).doesNotContain("[alert]");
    return output;
  }

  @ParameterizedTest
  @ValueSource(strings = {"once", "persistent", "datagram"})
  void whatAStrangerSendsIsClosedAtOnce(String method) throws IOException {
    try (NginxDeployment nginx = deploy(method, "")) {
      long worker = nginx.nginx.worker();
      long before = Nginx.descriptors(worker);
      String script =
          """
          for size in 1, 25:
              attack(%d, %d, 8, size)
              passed(path, method, 3)
          """
              .formatted(worker, STRANGER);

      assertThat(run(nginx, method, script)).isEqualTo("answered 3\nanswered 3\n");
      nginx.nginx.awaitLogged("[error]", "peekpass: refused", "uid " + STRANGER);
      Running.await("nothing is left open", () -> Nginx.descriptors(worker) == before);
      nginx.nginx.quit();
    }
  }

  /** What does not fit is closed by the kernel. */
  @ParameterizedTest
  @ValueSource(strings = {"datagram"})
  void whatIsTruncatedIsClosedAtOnce(String method) throws IOException {
    try (NginxDeployment nginx = deploy(method, "worker_rlimit_nofile 100;\n")) {
      String script =
          """
          attack(%d, %d, 3, 200)
          passed(path, method, 3)
          """
              .formatted(nginx.nginx.worker(), STRANGER);

      assertThat(run(nginx, method, script)).isEqualTo("answered 3\n");
      nginx.nginx.quit();
    }
  }

  /** Whether it is a friend's or not, nobody waits for what is left when a worker ends. */
  @ParameterizedTest
  @ValueSource(strings = {"once", "persistent", "datagram"})
  void whatIsLeftWhenItEndsIsClosedAtOnce(String method) throws IOException {
    try (NginxDeployment nginx = deploy(method, "")) {
      long worker = nginx.nginx.worker();
      String script =
          """
          def quit():
              os.kill(%2$d, signal.SIGQUIT)
              while os.path.exists(path):
                  time.sleep(0.01)
          attack(%1$d, %3$d, 8, 1, quit)
          began = time.monotonic()
          while os.path.exists("/proc/%2$d/exe"):
              assert time.monotonic() < began + PATIENCE, "nginx does not end"
              time.sleep(0.01)
          print("ended")
          """
              .formatted(worker, nginx.nginx.master(), STRANGER);

      assertThat(run(nginx, method, script)).isEqualTo("ended\n");
    }
  }
}
