package dev.peekpass.proxy.connection;

import dev.peekpass.linux.SockAddr;
import dev.peekpass.proxy.output.LineSink;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.Counters;
import dev.peekpass.proxy.status.Outcome;
import dev.peekpass.wire.HostName;
import dev.peekpass.wire.Protocol;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One loop's access log: a line a connection, written by a thread of its own, so that a slow disk
 * or pipe never holds up the loop. When the ring between the two is full, entries are dropped and
 * counted; so are lines that cannot be written. Once the log is closed its thread has a second for
 * what is there, however slow the reader.
 */
public final class AccessLog {
  /** How many entries wait to be written, at most. A power of two. */
  public static final int RING_ENTRIES = 4096;

  private static final long IDLE_NANOS = 20_000_000;
  private static final long CLOSING_NANOS = 1_000_000_000;
  private static final long TELL_NANOS = 60_000_000_000L;
  private static final int BATCH_BYTES = 1 << 15;

  private static final Logger LOG = LoggerFactory.getLogger("dev.peekpass.proxy");

  private final @Nullable LineSink out;
  private final Entry[] ring;

  /** Next entry to fill, and to write. Each is advanced by one side and read by both. */
  private volatile int filled;

  private volatile int written;
  private volatile boolean closed;

  /** When it was closed, by System.nanoTime. */
  private volatile long closedNanos;

  private @Nullable Thread writer;

  /** The writing thread's: how many dropped entries were told of, and when. */
  private long droppedTold;

  private long toldNanos = System.nanoTime() - TELL_NANOS;

  /**
   * Makes a log.
   *
   * @param out where lines go, or null for no log
   */
  public AccessLog(@Nullable LineSink out) {
    this.out = out;
    ring = new Entry[out == null ? 0 : RING_ENTRIES];
    for (int i = 0; i < ring.length; i++) {
      ring[i] = new Entry();
    }
    if (ring.length > 0) {
      // Loads now what a line needs: a class that is missing must not end a loop or the writer.
      ring[0].format(new StringBuilder());
    }
  }

  public boolean isEnabled() {
    return out != null;
  }

  /**
   * Starts the writing thread, which ends after {@link #close}.
   *
   * @param counters where it counts the lines that cannot be written
   */
  public void start(Counters counters) {
    LineSink target = out;
    if (target != null) {
      writer = Thread.ofPlatform().name("access-log").daemon().start(() -> write(target, counters));
    }
  }

  /** Lets the writing thread write what is there, for a second at most, and end. */
  public void close() {
    closedNanos = System.nanoTime();
    closed = true;
  }

  /** Whether there is nothing to wait for: its writing thread has ended, or was never started. */
  public boolean isWritten() {
    Thread started = writer;
    return started == null || !started.isAlive();
  }

  /**
   * Waits until the writing thread has ended, after {@link #close}.
   *
   * @param nanos at most so long; 0 or less only looks
   * @return whether it has ended
   * @throws InterruptedException when the waiting thread is interrupted
   */
  public boolean awaitWritten(long nanos) throws InterruptedException {
    Thread started = writer;
    return started == null || started.join(Duration.ofNanos(Math.max(0, nanos)));
  }

  /**
   * Notes a connection's outcome. Called by the loop's thread alone.
   *
   * @return false when the entry was dropped
   */
  public boolean record(Connection connection, Outcome outcome, long micros) {
    int at = filled;
    if (at - written >= ring.length) {
      return false;
    }
    ring[at & ring.length - 1].set(connection, outcome, micros);
    filled = at + 1;
    return true;
  }

  private void write(LineSink target, Counters counters) {
    Lines lines = new Lines(target, counters);
    while (true) {
      boolean last = closed;
      int end = filled;
      for (int at = written; at != end; at = written) {
        lines.add(ring[at & ring.length - 1]);
        written = at + 1;
      }
      lines.write();
      tellDropped(counters, last);
      if (last) {
        return;
      }
      LockSupport.parkNanos(IDLE_NANOS);
    }
  }

  /**
   * Tells of entries that the loop had no room for: at once, then once a minute, and at the end.
   */
  private void tellDropped(Counters counters, boolean last) {
    long dropped = counters.get(Counter.ACCESS_LOG_DROPPED);
    long now = System.nanoTime();
    if (dropped == droppedTold || (!last && now - toldNanos < TELL_NANOS)) {
      return;
    }
    LOG.warn(
        "access log: {} lines were dropped, since they are not read as fast as they come"
            + " (access-log-dropped)",
        dropped - droppedTold);
    droppedTold = dropped;
    toldNanos = now;
  }

  private boolean givesUp() {
    return closed && System.nanoTime() - closedNanos >= CLOSING_NANOS;
  }

  /** The writing thread's: lines that are written together. */
  private final class Lines {
    private final LineSink target;
    private final Counters counters;
    private final BooleanSupplier givesUp = AccessLog.this::givesUp;
    private final StringBuilder line = new StringBuilder(256);
    private byte[] bytes = new byte[BATCH_BYTES];
    private int length;
    private int count;
    private boolean faultTold;

    Lines(LineSink target, Counters counters) {
      this.target = target;
      this.counters = counters;
    }

    void add(Entry entry) {
      try {
        line.setLength(0);
        entry.format(line);
        byte[] next = line.append('\n').toString().getBytes(StandardCharsets.UTF_8);
        if (next.length > bytes.length - length) {
          write();
        }
        if (next.length > bytes.length) {
          bytes = new byte[next.length];
        }
        System.arraycopy(next, 0, bytes, length, next.length);
        length += next.length;
        count++;
      } catch (RuntimeException | LinkageError e) {
        lose(1, e);
      }
    }

    void write() {
      int all = length;
      int lines = count;
      length = 0;
      count = 0;
      try {
        int gone = all == 0 ? 0 : target.write(bytes, all, givesUp);
        if (gone > 0) {
          counters.countBeside(Counter.ACCESS_LOG_FAILED, gone);
        }
      } catch (RuntimeException | LinkageError e) {
        lose(lines, e);
      }
    }

    /** The log goes on: one line that cannot be written is not the end of all. */
    private void lose(int lines, Throwable fault) {
      counters.countBeside(Counter.ACCESS_LOG_FAILED, lines);
      if (!faultTold) {
        faultTold = true;
        LOG.error("a line of the access log could not be written: a fault in Peekpass", fault);
      }
    }
  }

  /** What is kept of a connection until its line is written. */
  private static final class Entry {
    private final byte[] host = new byte[HostName.MAX_BYTES];
    private int hostLength;
    private long epochMillis;
    private long peerHigh;
    private long peerLow;
    private int peerPort;
    private long micros;
    private String listener = "";
    private Outcome outcome = Outcome.STOPPED;
    private @Nullable Protocol protocol;
    private int routeLine;
    private @Nullable String backend;
    private @Nullable String alpn;
    private boolean encryptedClientHello;
    private @Nullable String reason;

    void set(Connection connection, Outcome ended, long took) {
      epochMillis = System.currentTimeMillis();
      peerHigh = connection.peerHigh;
      peerLow = connection.peerLow;
      peerPort = connection.peerPort;
      micros = took;
      listener = connection.origin.label();
      outcome = ended;
      protocol = connection.protocol;
      hostLength = connection.copyHost(host);
      routeLine = connection.routeLine();
      backend = connection.backend;
      alpn = connection.alpn;
      encryptedClientHello = connection.encryptedClientHello;
      reason = connection.reason;
    }

    void format(StringBuilder line) {
      line.append(Instant.ofEpochMilli(epochMillis));
      line.append(" client=").append(SockAddr.format(peerHigh, peerLow, peerPort));
      line.append(" listener=").append(listener);
      line.append(" protocol=").append(protocol == null ? "-" : protocol.label());
      line.append(" host=");
      appendEscaped(line, new String(host, 0, hostLength, StandardCharsets.ISO_8859_1));
      line.append(" alpn=");
      appendEscaped(line, alpn == null ? "" : alpn);
      line.append(" ech=").append(encryptedClientHello ? "yes" : "no");
      line.append(" route=");
      if (routeLine == 0) {
        line.append('-');
      } else {
        line.append("line:").append(routeLine);
      }
      line.append(" backend=").append(backend == null ? "-" : backend);
      line.append(" outcome=").append(outcome.label());
      line.append(" us=").append(micros);
      if (reason != null) {
        line.append(" reason=\"").append(reason).append('"');
      }
    }

    /** Escapes whatever a client could forge a log line with. */
    private static void appendEscaped(StringBuilder line, String text) {
      if (text.isEmpty()) {
        line.append('-');
        return;
      }
      for (int i = 0; i < text.length(); i++) {
        char c = text.charAt(i);
        if (c > ' ' && c < 0x7f && c != '"' && c != '\\') {
          line.append(c);
        } else {
          line.append("\\x").append(Character.forDigit(c >> 4, 16));
          line.append(Character.forDigit(c & 0xf, 16));
        }
      }
    }
  }
}
