package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** nginx quits, and its datagram socket with it: what it has been sent it serves first. */
@Tag("processes")
class NginxQuitTest {
  private static final String METHOD = "datagram";

  @TempDir private Path dir;

  @BeforeEach
  void require() throws IOException {
    Tool.require("python3");
  }

  private NginxDeployment deploy(int workers) throws IOException {
    return NginxDeployment.in(dir)
        .methods(METHOD)
        .withoutProxy()
        .main("worker_processes " + workers + ";\n")
        .http("http", "", NginxDeployment.WHO)
        .start();
  }

  private static String list(List<Long> pids) {
    return pids.stream().map(String::valueOf).collect(Collectors.joining(",", "[", "]"));
  }

  private String run(NginxDeployment nginx, String script) throws IOException {
    return Sender.run(dir, nginx.socket("http", METHOD), METHOD, "import signal\n" + script);
  }

  private static void awaitEnd(NginxDeployment nginx, long master) {
    Running.await("nginx has ended", () -> Nginx.title(master).isEmpty());
    assertThat(nginx.nginx.log()).doesNotContain("[alert]").doesNotContain("[error]");
  }

  /** Fewer than the socket holds lie in it, the master has closed it, and the workers wake up. */
  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void whatLiesInTheQueueIsServed(int workers) throws IOException {
    try (NginxDeployment nginx = deploy(workers)) {
      long master = nginx.nginx.master();
      Running.await("all workers run", () -> nginx.nginx.workers().size() == workers);
      String script =
          """
          workers = %s
          for worker in workers:
              os.kill(worker, signal.SIGSTOP)
          clients, accepted = pairs(8)
          channel = unix(path, method)
          for connection in accepted:
              send(channel, [connection])
          os.kill(%d, signal.SIGQUIT)
          while os.path.exists(path):
              time.sleep(0.01)
          for worker in workers:
              os.kill(worker, signal.SIGCONT)
          ask(clients)
          """
              .formatted(list(nginx.nginx.workers()), master);

      assertThat(run(nginx, script)).as(nginx.nginx.log()).isEqualTo("answered 8\n");
      awaitEnd(nginx, master);
    }
  }

  /** A proxy that goes on sending either has it back, or it is served: nothing is in between. */
  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void whatCouldBeSentIsServed(int workers) throws IOException {
    for (int round = 0; round < 5; round++) {
      try (NginxDeployment nginx = deploy(workers)) {
        long master = nginx.nginx.master();
        String script =
            """
            clients, accepted = pairs(500)
            for client in clients:
                client.sendall(REQUEST)
            if os.fork() == 0:
                time.sleep(%d / 1000)
                os.kill(%d, signal.SIGQUIT)
                os._exit(0)
            channel = unix(path, method)
            sent = 0
            try:
                for connection in accepted:
                    send(channel, [connection])
                    sent += 1
                    time.sleep(0.0005)
            except (BrokenPipeError, ConnectionRefusedError):
                pass
            tell(clients[:sent])
            print("sent", sent)
            """
                .formatted(round, master);

        String output = run(nginx, script);
        int sent = Integer.parseInt(output.substring(output.indexOf("sent ") + 5).strip());
        assertThat(output).isEqualTo("answered " + sent + "\nsent " + sent + "\n");
        assertThat(sent).as("it did not go on for ever").isLessThan(500);
        awaitEnd(nginx, master);
      }
    }
  }

  /** A reload is not the end of the socket, also when somebody has removed its file. */
  @Test
  void aReloadDoesNotEndTheSocket() throws IOException {
    try (NginxDeployment nginx = deploy(2)) {
      Running.await("all workers run", () -> nginx.nginx.workers().size() == 2);
      String script =
          """
          channel = unix(path, method)
          old = %s
          os.unlink(path)
          os.kill(%d, signal.SIGHUP)
          for worker in old:
              while os.path.exists("/proc/%%d/exe" %% worker):
                  time.sleep(0.01)
          clients, accepted = pairs(20)
          for connection in accepted:
              send(channel, [connection])
          ask(clients)
          """
              .formatted(list(nginx.nginx.workers()), nginx.nginx.master());

      assertThat(run(nginx, script)).as(nginx.nginx.log()).isEqualTo("answered 20\n");
    }
  }
}
