package dev.peekpass.cli;

import dev.peekpass.cli.process.Signals;
import dev.peekpass.cli.stage.FirstStage;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.proxy.admin.AdminClient;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Where the JVM begins that makes the AOT cache (docs/adr/0020-aot-cache.md): it runs the proxy as
 * {@code peekpass run -c FILE} does, passes connections through it, asks for its status and stops
 * it with SIGTERM, so that the cache has the classes and profiles of that work and of little else.
 *
 * <p>It is not confined: the JVM starts another to write the cache. What a start does for that is
 * rehearsed.
 *
 * <p>Exit code 0: the cache is worth keeping. Everything is on loopback and in a directory of its
 * own, which is removed unless the training fails.
 */
public final class Training {
  /** Enough that the methods on the way of a connection are compiled and have profiles. */
  private static final int CONNECTIONS = 3000;

  /** After this it is given up, on however slow a machine. */
  private static final long DEADLINE_SECONDS = 60;

  private static final long POLL_NANOS = 5_000_000;

  /** As it is at the beginning: what is written to it is not lost by halt. */
  private static final PrintStream ERRORS = System.err;

  private final LinuxKernel kernel = LinuxKernel.open();
  private final String admin;

  private Training(Path directory) {
    admin = directory.resolve("admin.sock").toString();
  }

  /**
   * Trains, and ends the JVM.
   *
   * @param arguments none
   */
  public static void main(String[] arguments) throws IOException {
    inBackground("deadline", Training::expire);
    Path directory = Files.createTempDirectory("peekpass-training");
    int code;
    try {
      Path configuration = directory.resolve("peekpass.yaml");
      Files.writeString(configuration, configuration(directory));
      String backend = directory.resolve("backend.sock").toString();
      TrainingBackend.start(backend);
      inBackground("clients", () -> new Training(directory).train());
      FirstStage.rehearse(LinuxKernel.open(), configuration);
      code = Main.execute(new String[] {"run", "-c", configuration.toString()});
    } finally {
      for (String name : List.of("admin.sock", "backend.sock", "peekpass.yaml")) {
        Files.deleteIfExists(directory.resolve(name));
      }
      Files.delete(directory);
    }
    System.exit(code);
  }

  private static String configuration(Path directory) {
    return """
    admin: "unix:%1$s/admin.sock"
    confinement: off
    listeners:
      - bind: "127.0.0.1:0"
    backends:
      web: { handoff: "unix:%1$s/backend.sock" }
    routes:
      - { host: %2$s, backend: web }
      - { host: "*.wild.example", backend: web }
    """
        .formatted(directory, TrainingClient.NAME);
  }

  private void train() {
    try {
      Map<String, Object> status = firstStatus();
      new TrainingClient(kernel, port(status)).connect(CONNECTIONS);
      await(CONNECTIONS);
      Signals.stopThisProcess();
    } catch (IOException e) {
      throw new IllegalStateException("the training failed", e);
    }
  }

  private Map<String, Object> firstStatus() throws IOException {
    while (true) {
      try {
        return status();
      } catch (AdminClient.UnreachableException e) {
        if (!e.isNobodyThere()) {
          throw e;
        }
        LockSupport.parkNanos(POLL_NANOS);
      }
    }
  }

  private Map<String, Object> status() throws IOException {
    return JsonObject.parse(AdminClient.ask(kernel, admin, "status"));
  }

  /** Waits until so many connections are passed: a cache of anything else is not worth keeping. */
  private void await(long connections) throws IOException {
    while (!(status().get("outcomes") instanceof Map<?, ?> outcomes
        && outcomes.get("passed") instanceof Number passed
        && passed.longValue() == connections)) {
      LockSupport.parkNanos(POLL_NANOS);
    }
  }

  private static int port(Map<String, Object> status) {
    Optional<String> address =
        status.get("listeners") instanceof List<?> listeners
                && listeners.getFirst() instanceof Map<?, ?> listener
            ? Optional.of(String.valueOf(listener.get("address")))
            : Optional.empty();
    String text = address.orElseThrow();
    return Integer.parseInt(text.substring(text.lastIndexOf(':') + 1));
  }

  private static void expire() {
    LockSupport.parkNanos(TimeUnit.SECONDS.toNanos(DEADLINE_SECONDS));
    throw new IllegalStateException("the training took over " + DEADLINE_SECONDS + " s");
  }

  /** Whatever is thrown ends the JVM with code 1, and the cache is not kept. */
  private static void inBackground(String name, Runnable work) {
    Thread.ofPlatform()
        .daemon()
        .name("training-" + name)
        .uncaughtExceptionHandler((thread, thrown) -> {
          thrown.printStackTrace(ERRORS);
          Runtime.getRuntime().halt(1);
        })
        .start(work);
  }
}
