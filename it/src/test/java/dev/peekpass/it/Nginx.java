package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * An nginx that a test has started, master and workers. Its files are in a directory of its own:
 * {@code nginx.conf}, {@code error.log}, {@code nginx.pid}.
 */
final class Nginx implements AutoCloseable {
  final Path dir;
  final Running launched;
  private final Set<Long> masters = new HashSet<>();

  private Nginx(Path dir, Running launched) {
    this.dir = dir;
    this.launched = launched;
  }

  /** What every configuration begins with: where files go, and the module. */
  static String preamble(Path dir) throws IOException {
    // Workers run as another user when the tests run as root, and must get at what is in there.
    Files.setPosixFilePermissions(dir, PosixFilePermissions.fromString("rwxr-xr-x"));
    return """
    load_module %s;
    pid %s/nginx.pid;
    lock_file %s/nginx.lock;
    error_log %s/error.log info;
    """
        .formatted(NginxModule.require(), dir, dir, dir);
  }

  /** What {@code http} begins with: where temporary files go. */
  static String httpPreamble(Path dir) {
    StringBuilder out = new StringBuilder("access_log off;\n");
    for (String kind : List.of("client_body", "proxy", "fastcgi", "uwsgi", "scgi")) {
      out.append("%s_temp_path %s/%s;%n".formatted(kind, dir, kind));
    }
    return out.toString();
  }

  /**
   * Starts it, in the foreground unless the configuration says otherwise, and waits until it
   * serves.
   *
   * @param under a command to run it under, for example valgrind
   */
  static Nginx start(Path dir, String config, String... under) throws IOException {
    Path file = Files.writeString(dir.resolve("nginx.conf"), config);
    List<String> command = new ArrayList<>(List.of(under));
    command.addAll(command(dir, file));
    Nginx nginx = new Nginx(dir, Running.start(dir, "nginx", command));
    if (config.contains("daemon on;")) {
      assertThat(nginx.launched.await()).as(nginx.launched.errors()).isZero();
      Running.await("nginx has written its pid", () -> nginx.pid("nginx.pid").isPresent());
    } else {
      nginx.launched.awaitOutput("its pid is there", () -> nginx.pid("nginx.pid").isPresent());
    }
    nginx.awaitWorkers();
    return nginx;
  }

  /** Runs {@code nginx -t}. */
  static Running.Done test(Path dir, String config) throws IOException {
    Path file = Files.writeString(dir.resolve("tested.conf"), config);
    List<String> command = new ArrayList<>(command(dir, file));
    command.add("-t");
    return Running.run(dir, command.toArray(String[]::new));
  }

  private static List<String> command(Path dir, Path file) {
    // By its whole path, as the master executes the same for an upgrade.
    String program = Tool.path("nginx").orElse("nginx");
    return List.of(
        program, "-p", dir.toString(), "-c", file.toString(), "-e", dir.resolve("error.log") + "");
  }

  /** The master that is in charge: after an upgrade, the new one. */
  long master() {
    return pid("nginx.pid").orElseThrow(() -> new AssertionError("nginx has no pid file"));
  }

  /** What a pid file of it says, if it is there. */
  Optional<Long> pid(String file) {
    try {
      String text = Files.readString(dir.resolve(file)).strip();
      if (text.isEmpty()) {
        return Optional.empty();
      }
      masters.add(Long.valueOf(text));
      return Optional.of(Long.valueOf(text));
    } catch (IOException e) {
      // Not yet, or no longer.
      return Optional.empty();
    }
  }

  /** The processes of its workers that take connections, in no order. */
  List<Long> workers() {
    return workersOf(master());
  }

  /** The workers of a master that take connections: those that shut down are left out. */
  static List<Long> workersOf(long master) {
    try (Stream<ProcessHandle> children =
        ProcessHandle.of(master).stream().flatMap(ProcessHandle::children)) {
      return children.map(ProcessHandle::pid).filter(Nginx::isServing).toList();
    }
  }

  private static boolean isServing(long pid) {
    String title = title(pid);
    // Under valgrind a process cannot change its title.
    return title.contains("valgrind")
        || (title.startsWith("nginx: worker process") && !title.contains("shutting down"));
  }

  /** What nginx says that a process of it does; empty when it is gone. */
  static String title(long pid) {
    try {
      return Files.readString(Path.of("/proc/" + pid + "/cmdline"), StandardCharsets.ISO_8859_1);
    } catch (IOException e) {
      return "";
    }
  }

  private void awaitWorkers() throws IOException {
    String config = Files.readString(dir.resolve("nginx.conf"));
    if (config.contains("master_process off;")) {
      return;
    }
    Running.await("it has workers; it says:\n" + log(), () -> !workers().isEmpty());
  }

  /** Its only worker. */
  long worker() {
    List<Long> workers = workers();
    assertThat(workers).as("workers").hasSize(1);
    return workers.getFirst();
  }

  /** Sends a signal to the master. */
  void signal(String name) throws IOException {
    signal(name, master());
  }

  /** Sends a signal to a process of it. */
  void signal(String name, long pid) throws IOException {
    Running.Done done = Running.run(dir, "kill", "-" + name, String.valueOf(pid));
    assertThat(done.status()).as(done.errors()).isZero();
  }

  /** Lets a process of it go on that was stopped, if it is still there. */
  void resume(long pid) throws IOException {
    Running.run(dir, "kill", "-CONT", String.valueOf(pid));
  }

  /** Its error log. */
  String log() {
    try {
      return Files.readString(dir.resolve("error.log"), StandardCharsets.ISO_8859_1);
    } catch (IOException e) {
      return "";
    }
  }

  /** The lines of its error log that have all of some parts. */
  List<String> logged(String... parts) {
    return log().lines().filter(line -> Stream.of(parts).allMatch(line::contains)).toList();
  }

  /** Waits until a line with all of some parts is in its error log. */
  void awaitLogged(String... parts) {
    Running.await("nginx logs a line with " + List.of(parts), () -> !logged(parts).isEmpty());
  }

  /** How many descriptors a process of it has open. */
  static long descriptors(long pid) {
    try (Stream<Path> open = Files.list(Path.of("/proc/" + pid + "/fd"))) {
      return open.count();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  /** SIGQUIT, and waits until master and workers are gone, which must have ended well. */
  void quit() throws IOException {
    List<ProcessHandle> all = processes();
    signal("QUIT");
    Running.await(
        "nginx has ended; it says:\n" + log(),
        () -> all.stream().noneMatch(ProcessHandle::isAlive));
  }

  private List<ProcessHandle> processes() {
    List<ProcessHandle> all = new ArrayList<>();
    pid("nginx.pid");
    pid("nginx.pid.oldbin");
    for (long master : masters) {
      ProcessHandle.of(master)
          .filter(process -> title(process.pid()).contains("nginx"))
          .ifPresent(process -> {
            all.add(process);
            process.descendants().forEach(all::add);
          });
    }
    return all;
  }

  @Override
  public void close() {
    // Frozen first: a master that has lost a worker may be about to start another.
    for (ProcessHandle process : processes()) {
      freeze(process.pid());
    }
    List<ProcessHandle> all = processes();
    all.forEach(ProcessHandle::destroyForcibly);
    launched.close();
    // Orphans are ended once they have no memory: init may be slow to take note of them.
    Running.await(
        "nginx has ended", () -> all.stream().allMatch(process -> title(process.pid()).isEmpty()));
  }

  private void freeze(long pid) {
    try {
      Running.run(dir, "kill", "-STOP", String.valueOf(pid));
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }
}
