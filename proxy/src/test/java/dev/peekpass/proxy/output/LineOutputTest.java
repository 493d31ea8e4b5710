package dev.peekpass.proxy.output;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.NativeBuffer;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LineOutputTest {
  private static final int THREADS = 4;
  private static final int LINES = 3000;

  @TempDir private Path dir;

  private final Kernel kernel = LinuxKernel.open();

  /** Opens a file, and finds its descriptor: the JDK does not tell it. */
  private static Fd descriptor(Path opened) throws IOException {
    try (var links = Files.list(Path.of("/proc/self/fd"))) {
      for (Path link : links.toList()) {
        if (Files.exists(link) && Files.readSymbolicLink(link).equals(opened.toRealPath())) {
          return Fd.of(Integer.parseInt(String.valueOf(link.getFileName())));
        }
      }
    }
    throw new AssertionError(opened + " is not open");
  }

  private Path pipe() throws Exception {
    Path path = dir.resolve("pipe");
    assertThat(new ProcessBuilder("mkfifo", path.toString()).start().waitFor()).isZero();
    return path;
  }

  private void setNonBlocking(Fd fd, boolean nonBlocking) {
    int flags = kernel.fcntl(fd, Linux.F_GETFL, 0);
    int wanted = nonBlocking ? flags | Linux.O_NONBLOCK : flags & ~Linux.O_NONBLOCK;
    assertThat(kernel.fcntl(fd, Linux.F_SETFL, wanted)).isZero();
  }

  private void fill(Fd fd) {
    setNonBlocking(fd, true);
    NativeBuffer zeros = new NativeBuffer(4096);
    while (kernel.write(fd, zeros, 0, zeros.capacity()) > 0) {
      // Until there is no room.
    }
    setNonBlocking(fd, false);
  }

  private static String line(String thread, Random random, int number) {
    int length = number % 100 == 0 ? 5000 + random.nextInt(5000) : random.nextInt(300);
    String body = "x".repeat(length);
    return thread + " " + number + " " + length + " " + body + "\n";
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void linesOfManyThreadsStayWholeThoughTheReaderIsSlow(boolean nonBlocking) throws Exception {
    Path path = pipe();
    try (RandomAccessFile both = new RandomAccessFile(path.toFile(), "rw")) {
      Fd fd = descriptor(path);
      setNonBlocking(fd, nonBlocking);
      LineOutput output = new LineOutput(LinuxKernel.open(), fd, "a pipe");
      List<Thread> threads = new ArrayList<>();
      for (int i = 0; i < THREADS; i++) {
        String name = "t" + i;
        threads.add(Thread.ofPlatform().start(() -> writeAll(output, name)));
      }
      Map<String, Integer> next = new HashMap<>();
      try (RandomAccessFile reader = new RandomAccessFile(path.toFile(), "r")) {
        // The description of another open: blocking whatever that of the writers is.
        byte[] bytes = new byte[1000];
        StringBuilder text = new StringBuilder();
        int seen = 0;
        while (seen < THREADS * LINES) {
          int count = reader.read(bytes);
          text.append(new String(bytes, 0, count, US_ASCII));
          for (int end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
            String[] words = text.substring(0, end).split(" ", -1);
            text.delete(0, end + 1);
            assertThat(words).hasSize(4);
            assertThat(words[1]).isEqualTo("" + next.merge(words[0], 1, Integer::sum));
            assertThat(words[3]).hasSize(Integer.parseInt(words[2])).matches("x*");
            seen++;
          }
        }
      }
      for (Thread thread : threads) {
        thread.join();
      }
      assertThat(both).isNotNull();
    }
  }

  private static void writeAll(LineOutput output, String name) {
    Random random = new Random(name.hashCode());
    int number = 1;
    while (number <= LINES) {
      StringBuilder several = new StringBuilder();
      int first = number;
      while (number <= LINES && number < first + 50) {
        several.append(line(name, random, number++));
      }
      byte[] bytes = several.toString().getBytes(US_ASCII);
      assertThat(output.write(bytes, bytes.length, () -> false)).isZero();
    }
  }

  @Test
  void aWaitForAReaderEndsWhenItIsGivenUp() throws Exception {
    Path path = pipe();
    try (RandomAccessFile both = new RandomAccessFile(path.toFile(), "rw")) {
      Fd fd = descriptor(path);
      fill(fd);
      LineOutput output = new LineOutput(LinuxKernel.open(), fd, "a pipe");
      byte[] lines = "one\ntwo\nthree\n".getBytes(US_ASCII);
      Thread other =
          Thread.ofPlatform().daemon().start(() -> output.write(lines, lines.length, () -> false));
      while (other.getState() == Thread.State.NEW) {
        Thread.onSpinWait();
      }

      assertThat(output.write(lines, lines.length, () -> true)).isEqualTo(3);

      byte[] zeros = new byte[4096];
      String read = "";
      while (!read.endsWith("three\n")) {
        read = new String(zeros, 0, both.read(zeros), US_ASCII);
      }
      other.join();
      assertThat(read).endsWith("one\ntwo\nthree\n");
      assertThat(output.write(lines, lines.length, () -> true)).isZero();
      assertThat(new String(zeros, 0, both.read(zeros), US_ASCII)).isEqualTo("one\ntwo\nthree\n");
    }
  }

  @Test
  void whatCannotBeWrittenIsLostAndWhatComesLaterIsNot() throws Exception {
    Path full = Path.of("/dev/full");
    try (RandomAccessFile file = new RandomAccessFile(full.toFile(), "rw")) {
      LineOutput output = new LineOutput(LinuxKernel.open(), descriptor(full), "a full disk");
      byte[] lines = "one\ntwo\n".getBytes(US_ASCII);

      assertThat(output.write(lines, lines.length, () -> false)).isEqualTo(2);
      assertThat(output.write(lines, 4, () -> false)).isOne();
      assertThat(file).isNotNull();
    }
  }
}
