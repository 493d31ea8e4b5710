package dev.peekpass.proxy.connection;

import dev.peekpass.linux.SockAddr;
import dev.peekpass.proxy.status.Outcome;
import dev.peekpass.wire.HostName;
import dev.peekpass.wire.Protocol;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * One loop's access log: a line a connection, written by a thread of its own, so that a slow disk
 * or pipe never holds up the loop. When the ring between the two is full, entries are dropped and
 * counted.
 */
public final class AccessLog {
  /** How many entries wait to be written, at most. A power of two. */
  public static final int RING_ENTRIES = 4096;

  private static final long IDLE_NANOS = 20_000_000;

  private final @Nullable PrintStream out;
  private final Entry[] ring;

  /** Next entry to fill, and to write. Each is advanced by one side and read by both. */
  private volatile int filled;

  private volatile int written;
  private volatile boolean closed;

  /**
   * Makes a log.
   *
   * @param out where lines go, or null for no log
   */
  public AccessLog(@Nullable PrintStream out) {
    this.out = out;
    ring = new Entry[out == null ? 0 : RING_ENTRIES];
    for (int i = 0; i < ring.length; i++) {
      ring[i] = new Entry();
    }
  }

  public boolean isEnabled() {
    return out != null;
  }

  /** Starts the writing thread, which ends after {@link #close}. */
  public @Nullable Thread start() {
    PrintStream target = out;
    return target == null
        ? null
        : Thread.ofPlatform().name("access-log").daemon().start(() -> write(target));
  }

  /** Lets the writing thread write what is there and end. */
  public void close() {
    closed = true;
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

  private void write(PrintStream target) {
    StringBuilder line = new StringBuilder(256);
    while (true) {
      boolean last = closed;
      int end = filled;
      for (int at = written; at != end; at = written) {
        line.setLength(0);
        ring[at & ring.length - 1].format(line);
        written = at + 1;
        // In one piece: other loops write to the same stream.
        target.append(line.append('\n'));
      }
      target.flush();
      if (last) {
        return;
      }
      LockSupport.parkNanos(IDLE_NANOS);
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
