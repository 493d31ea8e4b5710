package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.Test;

/** {@code peekpass serve}, also at its limit of descriptors. */
class FaultTest extends BackendFaults {
  @Override
  int statusWhenStopped() {
    return 0;
  }

  @Override
  Running serve(String socket, String name) throws IOException {
    Running server =
        Running.peekpass(
            dir,
            name,
            "serve",
            dir.resolve("site").toString(),
            "--handoff",
            "unix:" + socketPath(socket),
            "--name",
            name);
    server.awaitOutput("it serves", () -> server.output().contains("serving"));
    return server;
  }

  @Test
  void aBackendAtItsDescriptorLimitLosesNothing() throws Exception {
    String command =
        "ulimit -n 100; exec '"
            + Running.ROOT.resolve("peekpass").toAbsolutePath()
            + "' serve '"
            + dir.resolve("site")
            + "' --handoff 'unix:"
            + dir.resolve("a.sock")
            + "' --whoami";
    int clients = 200;
    Queue<String> failures = new ConcurrentLinkedQueue<>();
    Queue<Integer> answered = new ConcurrentLinkedQueue<>();
    try (Running a = Running.start(dir, "a", List.of("bash", "-c", command))) {
      a.awaitOutput("it serves", () -> a.output().contains("serving"));
      try (Running proxy = proxy("a")) {
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < clients; i++) {
          threads.add(
              Thread.startVirtualThread(() -> {
                try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), proxy.port(0))) {
                  socket.setSoTimeout(90_000);
                  String head = "GET /.peekpass/whoami HTTP/1.1\r\nHost: " + Site.NAME + "\r\n\r\n";
                  socket.getOutputStream().write(head.getBytes(StandardCharsets.US_ASCII));
                  byte[] status = socket.getInputStream().readNBytes(12);
                  answered.add(status.length);
                  if (!new String(status, StandardCharsets.US_ASCII).equals("HTTP/1.1 200")) {
                    failures.add(new String(status, StandardCharsets.US_ASCII));
                  }
                  // Keeps its descriptor in the backend for a while, so that there is none left.
                  socket.getInputStream().readNBytes(40_000);
                  Thread.sleep(300);
                } catch (IOException | InterruptedException e) {
                  failures.add(e.toString());
                }
              }));
        }
        for (Thread thread : threads) {
          thread.join();
        }
        assertThat(failures).isEmpty();
        assertThat(answered).hasSize(clients);
        assertThat(proxy.stop()).isZero();
        assertThat(proxy.errors()).contains(" passed=" + clients + ";");
      }
      assertThat(a.errors()).as("it was at its limit").contains("RLIMIT_NOFILE");
    }
  }
}
