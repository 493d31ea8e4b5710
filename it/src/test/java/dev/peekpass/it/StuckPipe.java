package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;

/** A pipe that is full, with a reader that has stopped reading: a FIFO to start programs with. */
final class StuckPipe implements AutoCloseable {
  private final Path path;
  private final RandomAccessFile end;

  private StuckPipe(Path path, RandomAccessFile end) {
    this.path = path;
    this.end = end;
  }

  static StuckPipe make(Path dir, String name) throws IOException {
    Path path = dir.resolve(name);
    assertThat(Running.run(dir, "mkfifo", path.toString()).status()).isZero();
    StuckPipe pipe = new StuckPipe(path, new RandomAccessFile(path.toFile(), "rw"));
    pipe.fill(dir);
    return pipe;
  }

  private void fill(Path dir) throws IOException {
    Running.Done full =
        Running.run(
            dir,
            "env",
            "LC_ALL=C",
            "dd",
            "if=/dev/zero",
            "of=" + path,
            "bs=4096",
            "oflag=nonblock");
    assertThat(full.errors()).contains("temporarily unavailable");
  }

  /** What to write behind {@code >} in a shell. */
  String path() {
    return path.toString();
  }

  /** Reads on until a line has a text, past what it was filled with. */
  String readLineWith(String text) throws IOException {
    while (true) {
      String line = end.readLine();
      if (line == null) {
        throw new AssertionError("the end of a pipe that has a writer: this one");
      }
      if (line.contains(text)) {
        return line.replace("\0", "");
      }
    }
  }

  @Override
  public void close() throws IOException {
    end.close();
  }
}
