package dev.peekpass.it.fault;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.it.Running;
import dev.peekpass.it.Tool;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A running {@code load.c}, which says what it does, and what it has logged so far. */
final class LoadProgram implements AutoCloseable {
  private static final Pattern HELD =
      Pattern.compile("held (\\d+) under way (\\d+) failed (\\d+)\n");

  private static final int MOST_BYTES = 64 << 20;

  private final Running program;
  private final Path log;
  private final List<Entry> entries = new ArrayList<>();
  private long parsedBytes;

  private LoadProgram(Running program, Path log) {
    this.program = program;
    this.log = log;
  }

  /** Builds it; skips the test, by name, where there is no C compiler. */
  static Path build(Path dir) throws IOException {
    return Tool.compile(dir, "load");
  }

  /**
   * Begins at once.
   *
   * @param options of load.c that say what is to be done
   */
  static LoadProgram start(Path dir, String name, int port, String host, String... options)
      throws IOException {
    Path log = dir.resolve(name + ".log");
    List<String> command = new ArrayList<>(List.of(build(dir).toString()));
    command.addAll(List.of("-p", "" + port, "-H", host, "-o", log.toString()));
    command.addAll(List.of(options));
    Running program = Running.start(dir, name, command);
    LoadProgram load = new LoadProgram(program, log);
    program.awaitOutput("it has begun", () -> Files.exists(log));
    return load;
  }

  private void readOn() {
    try (RandomAccessFile file = new RandomAccessFile(log.toFile(), "r")) {
      file.seek(parsedBytes);
      byte[] more = new byte[(int) Math.min(file.length() - parsedBytes, MOST_BYTES)];
      file.readFully(more);
      int end = more.length;
      while (end > 0 && more[end - 1] != '\n') {
        end--;
      }
      new String(more, 0, end, StandardCharsets.US_ASCII)
          .lines()
          .map(Entry::parse)
          .forEach(entries::add);
      parsedBytes += end;
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  /** Those that have come to something. */
  List<Entry> entries() {
    readOn();
    return List.copyOf(entries);
  }

  /** How many have come to something. */
  int done() {
    readOn();
    return entries.size();
  }

  /** Waits until so many more have. */
  void awaitMore(int connections) {
    awaitMore(connections, entry -> true);
  }

  /** Waits until so many more have that are like this. */
  void awaitMore(int connections, Predicate<Entry> which) {
    int[] seen = {done(), 0};
    program.awaitOutput(
        connections + " more connections have come to something",
        () -> {
          int done = done();
          seen[1] += (int) entries.subList(seen[0], done).stream().filter(which).count();
          seen[0] = done;
          return seen[1] >= connections;
        });
  }

  /**
   * Waits until all are under way.
   *
   * @return how many of them have not all of their bodies, not even in the socket's buffer
   */
  int awaitHeld() {
    program.awaitOutput("all are under way", () -> HELD.matcher(program.output()).find());
    Matcher matcher = HELD.matcher(program.output());
    assertThat(matcher.find()).isTrue();
    return Integer.parseInt(matcher.group(2));
  }

  /** Lets those that are held go on. */
  void release() throws IOException {
    Signal.USR1.send(program.process.pid());
  }

  /** Waits until it has made as many as it was told to, and all have come to something. */
  List<Entry> await() {
    assertThat(program.await()).as(program.errors()).isZero();
    return entries();
  }

  /** Makes no more connections; each that there is comes to something. */
  List<Entry> stop() {
    program.process.destroy();
    return await();
  }

  /** Those that are like this. */
  static List<Entry> only(Collection<Entry> entries, Predicate<Entry> which) {
    return entries.stream().filter(which).toList();
  }

  @Override
  public void close() {
    program.close();
  }
}
