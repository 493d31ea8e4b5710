package dev.peekpass.cli.serve;

import java.io.Closeable;
import java.io.PrintStream;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.atomic.AtomicLong;

/**
 * One line a request, {@code CLIENT "REQUEST-LINE" STATUS BYTES TIMEµs name=BACKEND local=ADDRESS},
 * written by a thread of its own. When nobody reads them fast enough lines are dropped, and
 * counted, rather than that a connection waits.
 */
final class RequestLog implements Closeable {
  private static final int QUEUE_LINES = 8192;
  private static final int MAX_REQUEST_CHARS = 1000;
  private static final String END = "";

  private final PrintStream out;
  private final String name;
  private final boolean quiet;
  private final BlockingQueue<String> queue = new ArrayBlockingQueue<>(QUEUE_LINES);
  private final AtomicLong dropped = new AtomicLong();
  private final Thread writer;

  /**
   * A log.
   *
   * @param out takes the lines; flushed, not closed
   * @param name of the backend
   * @param quiet whether to write nothing
   */
  RequestLog(PrintStream out, String name, boolean quiet) {
    this.out = out;
    this.name = name;
    this.quiet = quiet;
    writer = Thread.ofPlatform().daemon().name("request-log").start(this::write);
  }

  /**
   * Logs a response.
   *
   * @param request the request line, or - when it could not be read
   * @param bodyBytes that went out
   * @param micros from the end of the request's head to the end of the response
   * @param note one more word or more, or empty
   */
  void response(
      ClientFacts facts, String request, int status, long bodyBytes, long micros, String note) {
    add(
        "%s \"%s\" %d %d %dµs name=%s local=%s%s%s"
            .formatted(
                facts.remote(),
                printable(request),
                status,
                bodyBytes,
                micros,
                name,
                facts.local(),
                facts.tls().map(tls -> " tls=" + tls.version()).orElse(""),
                note.isEmpty() ? "" : " " + printable(note)));
  }

  /** Logs a connection that ended before there was a request to answer. */
  void failure(ClientFacts facts, String what) {
    add("%s - name=%s local=%s %s".formatted(facts.remote(), name, facts.local(), printable(what)));
  }

  /** Writes what is queued and ends. */
  @Override
  public void close() {
    boolean interrupted = false;
    while (true) {
      try {
        queue.put(END);
        writer.join();
        break;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void add(String line) {
    if (!quiet && !queue.offer(line)) {
      dropped.incrementAndGet();
    }
  }

  private void write() {
    try {
      while (true) {
        String line = queue.poll();
        if (line == null) {
          out.flush();
          line = queue.take();
        }
        if (line.equals(END)) {
          out.flush();
          return;
        }
        out.println(line);
        long lost = dropped.getAndSet(0);
        if (lost > 0) {
          out.println("… " + lost + " lines dropped: nobody reads them fast enough");
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  // What a client sent must not move the cursor or forge a line.
  private static String printable(String text) {
    StringBuilder out = new StringBuilder(text.length());
    for (int i = 0; i < Math.min(text.length(), MAX_REQUEST_CHARS); i++) {
      char c = text.charAt(i);
      if (c < ' ' || c == '"' || c == '\\' || (c >= 0x7f && c <= 0xff)) {
        out.append("\\x%02x".formatted((int) c));
      } else {
        out.append(c);
      }
    }
    return out.append(text.length() > MAX_REQUEST_CHARS ? "…" : "").toString();
  }
}
