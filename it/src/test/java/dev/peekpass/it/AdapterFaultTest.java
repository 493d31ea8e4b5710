package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;

/** The same with servers that know nothing of it, by the agent, and with the adapter for Netty. */
@Tag("agent")
@ParameterizedClass
@ValueSource(strings = {"socket", "http", "netty-epoll", "netty-adapter"})
@Tag("processes")
class AdapterFaultTest extends BackendFaults {
  @Parameter String kind = "";

  @Override
  int statusWhenStopped() {
    // Of a JVM that does not say otherwise: 128 and the signal's number.
    return 143;
  }

  /**
   * {@inheritDoc}
   *
   * <p>The JDK's HttpServer ends as soon as no exchange is under way, of which a connection that it
   * has accepted and not begun to read is none ({@link HttpServerStopTest}). It begins with each
   * before it accepts the next.
   */
  @Override
  int droppedWhenStopped() {
    return kind.equals("http") ? 1 : 0;
  }

  @Override
  Running serve(String socket, String name) throws IOException {
    if (kind.startsWith("netty")) {
      Assumptions.assumeTrue(
          System.getProperty("os.arch").equals("amd64"),
          "SKIPPED: the native library of Netty's that the tests have is for x86-64");
    }
    boolean adapter = kind.equals("netty-adapter");
    List<String> program = new ArrayList<>();
    if (kind.startsWith("netty")) {
      program.add("--enable-native-access=ALL-UNNAMED");
      program.add("--sun-misc-unsafe-memory-access=allow");
    }
    program.addAll(
        List.of("-cp", AgentSite.classPath(), PayloadServer.class.getName(), kind, name));
    program.add(dir.resolve("site/payload").toString());
    program.add(stall(socket).toString());
    program.add(socketPath(socket).toString());
    Running server;
    if (adapter) {
      List<String> command = new ArrayList<>(AgentSite.java());
      command.addAll(program);
      server = Running.start(dir, name, command);
    } else {
      server = AgentSite.run(dir, name, AgentSite.pair(0, socketPath(socket)), program);
    }
    server.awaitOutput("it serves", () -> server.output().contains("serving"));
    return server;
  }

  private Path stall(String socket) {
    return dir.resolve(socket + ".stall");
  }

  /** A process that lives, and a server in it that does not accept. */
  @Test
  void whatAServerDoesNotAcceptGoesToTheOther() throws Exception {
    Assumptions.assumeTrue(kind.equals("socket"), "it is the agent's affair, not the server's");
    try (Running a = serve("a", "a");
        Running b = serve("b", "b");
        Running proxy = proxy("a", "b")) {
      SteadyLoad load = load(proxy);
      long begun;
      long ended;
      try (load) {
        awaitMore(load, RATE);
        Files.createFile(stall("a"));
        begun = System.nanoTime();
        int before = load.begun();
        awaitMore(load, 3 * RATE);
        int until = load.begun();
        // One that its accept was about to return, and one that the agent had claimed.
        Running.await(
            "all but two have ended",
            () ->
                load.entries().stream()
                        .filter(e -> e.number() > before && e.number() <= until)
                        .count()
                    >= until - before - 2);
        ended = System.nanoTime();
        Files.delete(stall("a"));
        awaitMore(load, RATE);
      }
      assertNoneFailed(load.entries());
      long slack = TimeUnit.SECONDS.toNanos(1);
      assertThat(
              load.entries().stream()
                  .filter(e -> e.begunNanos() > begun + slack && e.begunNanos() < ended - slack))
          .filteredOn(e -> e.backend().equals("a"))
          .hasSizeLessThanOrEqualTo(2);
      a.stop();
      b.stop();
      assertServedOnce(List.of(a, b));
    }
  }
}
