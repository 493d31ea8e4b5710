package dev.peekpass.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.proxy.output.LineOutput;
import dev.peekpass.proxy.output.LineSink;
import java.io.OutputStream;
import java.io.PrintStream;
import java.time.Instant;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Standard output and standard error of a process that waits for nobody who reads them: each has a
 * daemon thread that writes, and a queue before it. Lines beyond the queue are dropped and counted,
 * and how many is told, at once and then once a minute. When the process ends what is queued has a
 * second; by Runtime.halt it is lost.
 *
 * <p>{@link #install} puts System.out and System.err in front of them, and with that whatever
 * prints: picocli, stack traces, threads that end on an exception.
 */
final class Console {
  /** How many lines, events of the log or stack traces wait to be written, at most. */
  static final int QUEUE_LINES = 8192;

  /** What of the queue is left to {@linkplain #print important} lines. */
  private static final int IMPORTANT_LINES = QUEUE_LINES / 5;

  private static final long TELL_NANOS = TimeUnit.MINUTES.toNanos(1);
  private static final long FLUSH_NANOS = TimeUnit.SECONDS.toNanos(1);

  /** For what the flush itself has told of. */
  private static final long LAST_NANOS = TimeUnit.MILLISECONDS.toNanos(200);

  private static final long POLL_NANOS = 1_000_000;
  private static final byte[] NOTHING = {};

  private static final Logger LOG = LoggerFactory.getLogger("dev.peekpass.cli");

  private static final Console OUT = new Console(1, "standard output");
  private static final Console ERR = new Console(2, "standard error");

  private final String name;
  private final LineOutput output;
  private final BlockingQueue<Supplier<byte[]>> queue = new ArrayBlockingQueue<>(QUEUE_LINES);
  private final AtomicLong accepted = new AtomicLong();
  private final AtomicLong dropped = new AtomicLong();

  private final AtomicLong done = new AtomicLong();
  private volatile boolean ending;
  private @Nullable Instant toldOfDrops;

  private Console(int descriptor, String name) {
    this.name = name;
    output = new LineOutput(LinuxKernel.open(), Fd.of(descriptor), name);
    Thread.ofPlatform().daemon().name("write " + name).start(this::write);
  }

  static {
    try {
      Runtime.getRuntime().addShutdownHook(new Thread(Console::end, "flush"));
    } catch (IllegalStateException e) {
      // The process is ending already: what is printed now may be lost.
    }
  }

  static Console out() {
    return OUT;
  }

  static Console err() {
    return ERR;
  }

  /** Has System.out and System.err print here from now on. */
  static void install() {
    System.setOut(new PrintStream(new Lines(OUT), true, System.out.charset()));
    System.setErr(new PrintStream(new Lines(ERR), true, System.err.charset()));
  }

  /** Where lines may be written beside the queue, by threads that may wait. */
  LineSink lines() {
    return output;
  }

  /**
   * Has lines written. Returns at once and throws nothing.
   *
   * @param lines asked by the writing thread; whole lines with their line feeds
   * @param important whether they may take the last fifth of the queue
   */
  void print(Supplier<byte[]> lines, boolean important) {
    boolean room = important || queue.remainingCapacity() > IMPORTANT_LINES;
    if (room && queue.offer(lines)) {
      accepted.incrementAndGet();
    } else {
      dropped.incrementAndGet();
    }
  }

  /** Counts a line that could not even be made. */
  void drop() {
    dropped.incrementAndGet();
  }

  private void write() {
    while (true) {
      try {
        Supplier<byte[]> next = queue.poll(TELL_NANOS, TimeUnit.NANOSECONDS);
        if (next != null) {
          writeOne(next);
        }
        tellDropped();
      } catch (InterruptedException e) {
        // Nobody does that; and there is no end but the process's.
      }
    }
  }

  private void writeOne(Supplier<byte[]> next) {
    try {
      byte[] lines = next.get();
      output.write(lines, lines.length, () -> false);
    } catch (RuntimeException | LinkageError e) {
      dropped.incrementAndGet();
    } finally {
      done.incrementAndGet();
    }
  }

  /** Called by the writing thread, which has just found room: the reader goes on. */
  private void tellDropped() {
    Instant now = Instant.now();
    boolean due = ending || toldOfDrops == null || now.isAfter(toldOfDrops.plusNanos(TELL_NANOS));
    long lost = dropped.get();
    if (lost == 0 || !due) {
      return;
    }
    toldOfDrops = now;
    dropped.addAndGet(-lost);
    if (this == OUT) {
      LOG.warn("{} lines for {} were dropped: it was not read fast enough", lost, name);
    } else {
      // Not through the log, whose queue may be full again.
      DateTimeFormatter time = new DateTimeFormatterBuilder().appendInstant(3).toFormatter();
      byte[] line =
          "%s WARN  %d log lines were dropped: %s was not read fast enough%n"
              .formatted(time.format(now), lost, name)
              .getBytes(UTF_8);
      output.write(line, line.length, () -> false);
    }
  }

  /** Waits until what was printed before is written, until a time of System.nanoTime at most. */
  private boolean flush(long untilNanos) {
    long target = accepted.get();
    while (done.get() < target || (dropped.get() > 0 && queue.isEmpty() && ending)) {
      if (System.nanoTime() - untilNanos >= 0) {
        return false;
      }
      LockSupport.parkNanos(POLL_NANOS);
    }
    return true;
  }

  /** Has what was printed before written, for which there is a second. */
  static void flush() {
    long until = System.nanoTime() + FLUSH_NANOS;
    ERR.flush(until);
    OUT.flush(until);
  }

  private static void end() {
    for (Console one : List.of(OUT, ERR)) {
      one.ending = true;
      // Wakes its thread, if that waits for something to write.
      one.print(() -> NOTHING, true);
    }
    long until = System.nanoTime() + FLUSH_NANOS;
    // Each has the whole time, however stuck the other.
    ERR.flush(until);
    if (!OUT.flush(until)) {
      LOG.warn("{}: nobody reads it; what was printed last is lost", OUT.name);
    }
    OUT.output.tellLost();
    ERR.flush(System.nanoTime() + LAST_NANOS);
  }

  /** Gathers bytes until a line is whole. Guarded by the PrintStream before it. */
  private static final class Lines extends OutputStream {
    private static final int MAX_BYTES = 1 << 16;

    private final Console console;
    private byte[] bytes = new byte[256];
    private int length;

    Lines(Console console) {
      this.console = console;
    }

    @Override
    public void write(int b) {
      write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] from, int offset, int count) {
      for (int i = offset; i < offset + count; i++) {
        add(from[i]);
        if (from[i] == '\n') {
          emit();
        } else if (length == MAX_BYTES) {
          add((byte) '\n');
          emit();
        }
      }
    }

    private void add(byte b) {
      if (length == bytes.length) {
        bytes = Arrays.copyOf(bytes, 2 * length);
      }
      bytes[length++] = b;
    }

    private void emit() {
      byte[] line = Arrays.copyOf(bytes, length);
      length = 0;
      console.print(() -> line, true);
    }
  }
}
