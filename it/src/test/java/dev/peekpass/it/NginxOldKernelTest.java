package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * nginx where the kernel does not say how many descriptors are open, as before Linux 6.2 or without
 * {@code /proc}: the module opens as many as it may need to find out.
 */
@Tag("processes")
class NginxOldKernelTest {
  @TempDir private Path dir;
  private Path socket;
  private String preload;

  @BeforeEach
  void build() throws IOException {
    Tool.require("cc");
    Tool.require("python3");
    socket = dir.resolve("web.sock");
    Path library = dir.resolve("no-directory-size.so");
    String source = Running.ROOT.resolve("it/src/test/c/no-directory-size.c").toString();
    Running.Done built =
        Running.run(dir, "cc", "-shared", "-fPIC", "-Wall", "-o", library.toString(), source);
    assertThat(built.status()).as(built.errors()).isZero();
    preload = "LD_PRELOAD=" + library;
  }

  /** One worker. */
  private String config(String errorLog, String main, String method) throws IOException {
    String preamble = Nginx.preamble(dir);
    String toFile = "error_log %s/error.log info;".formatted(dir);
    assertThat(preamble).contains(toFile);
    return preamble.replace(toFile, errorLog.isEmpty() ? toFile : "error_log " + errorLog + ";")
        + """
        daemon off;
        worker_processes 1;
        %s
        peekpass unix:%s method=%s batch=3;
        events { worker_connections 512; }
        http {
          %s
          server { listen unix:%s; %s }
        }
        """
            .formatted(main, socket, method, Nginx.httpPreamble(dir), socket, NginxDeployment.WHO);
  }

  /** The first log of a configuration need not be a file. */
  @ParameterizedTest
  @ValueSource(strings = {"", "stderr info", "syslog:server=127.0.0.1:9 info", "memory:64k debug"})
  void itServesWhateverItLogsTo(String errorLog) throws IOException {
    for (String method : NginxDeployment.METHODS) {
      try (Nginx nginx = Nginx.start(dir, config(errorLog, "", method), "env", preload)) {
        long worker = nginx.worker();

        assertThat(Sender.run(dir, socket, method, "passed(path, method, 3)\n"))
            .as(method)
            .isEqualTo("answered 3\n");
        assertThat(nginx.worker()).as("nobody has crashed").isEqualTo(worker);
        nginx.quit();
      }
    }
  }

  /** Each request is held back until nginx is short of descriptors. */
  @ParameterizedTest
  @ValueSource(strings = {"once", "persistent", "datagram"})
  void withoutFreeDescriptorsConnectionsWait(String method) throws IOException {
    String script =
        """
        clients, accepted = pairs(60)
        for client in clients:
            client.sendall(REQUEST[:-2])
        channel = unix(path, method)
        while accepted:
            if method == "once":
                channel = unix(path, method)
            send(channel, [accepted.pop(0)])
            if len(accepted) == 20:
                print("sent")
                while not os.path.exists(path + ".go"):
                    time.sleep(0.01)
                for client in clients:
                    client.sendall(REQUEST[-2:])
        print("answered", sum(answer(client).startswith(own(client)) for client in clients))
        """;
    String config = config("", "worker_rlimit_nofile 50;", method);
    try (Nginx nginx = Nginx.start(dir, config, "env", preload);
        Running sender = Sender.start(dir, socket, method, script)) {
      nginx.awaitLogged("[alert]", "peekpass:", "worker_rlimit_nofile");
      assertThat(Path.of(socket + ".go").toFile().createNewFile()).isTrue();

      assertThat(sender.await()).as(sender.errors()).isZero();
      assertThat(sender.output()).as(nginx.log()).isEqualTo("sent\nanswered 60\n");
      nginx.quit();
    }
  }
}
