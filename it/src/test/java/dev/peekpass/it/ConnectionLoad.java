package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedWriter;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * Many connections, each a request of its own, from several threads. A line a connection goes to a
 * log: its number, whether it was answered, the client's address, the worker that served it,
 * microseconds, and what went wrong.
 */
final class ConnectionLoad implements AutoCloseable {
  /** How many connections are open at the same time, at most. */
  static final int THREADS = 16;

  // So many that no client port comes again before the kernel has forgotten it.
  private static final int CLIENT_ADDRESSES = 100;

  private final InetSocketAddress server;
  private final int count;
  private final Path log;
  private final BufferedWriter lines;
  private final AtomicInteger next = new AtomicInteger();
  private volatile int limit;
  private final AtomicInteger done = new AtomicInteger();
  private final List<String> failures = new ArrayList<>();
  private final Map<Long, Integer> served = new TreeMap<>();
  private final List<Thread> threads = new ArrayList<>();

  private ConnectionLoad(Path log, InetSocketAddress server, int count) throws IOException {
    this.log = log;
    this.server = server;
    this.count = count;
    limit = count;
    lines = Files.newBufferedWriter(log, StandardCharsets.UTF_8);
  }

  /**
   * Starts it.
   *
   * @param log a file to write
   * @param server where something answers {@code /who} as {@link NginxDeployment#WHO} does
   */
  static ConnectionLoad start(Path log, InetSocketAddress server, int count) throws IOException {
    ConnectionLoad load = new ConnectionLoad(log, server, count);
    for (int i = 0; i < THREADS; i++) {
      load.threads.add(Thread.ofPlatform().name("load-" + i).start(load::run));
    }
    return load;
  }

  /** Something that is done while it runs. */
  interface Event {
    /** Does it, the {@code index}th time. */
    void happen(int index) throws IOException;
  }

  /**
   * Lets something happen so many times, evenly, each time after as many connections. No thread
   * gets ahead of what is to happen by more than as many again, however long that takes.
   */
  ConnectionLoad during(int times, Event event) throws IOException {
    try {
      for (int i = 0; i < times; i++) {
        int after = after(i, times);
        limit = after(i + 1, times);
        Running.await(
            after + " connections are done, of " + count + ": " + this, () -> done.get() >= after);
        event.happen(i);
      }
    } finally {
      limit = count;
    }
    return this;
  }

  private int after(int index, int times) {
    return (int) ((long) count * (index + 1) / (times + 1));
  }

  /** Waits for its end. */
  ConnectionLoad await() throws IOException {
    long last = -1;
    while (done.get() < count) {
      // A stall is a failure, a slow machine is not.
      long now = done.get();
      assertThat(now).as("no connection in a while: %s", this).isNotEqualTo(last);
      last = now;
      int target = (int) Math.min(count, now + 1);
      Running.await("connection " + target + " is done", () -> done.get() >= target);
    }
    close();
    return this;
  }

  /** What failed, a line each, in no order. */
  synchronized List<String> failures() {
    return List.copyOf(failures);
  }

  /** How many connections each worker has served, by its process. */
  synchronized Map<Long, Integer> served() {
    return new TreeMap<>(served);
  }

  @Override
  public synchronized String toString() {
    return "%d of %d connections done, %d failed, by worker %s, see %s: %s"
        .formatted(
            done.get(),
            count,
            failures.size(),
            served,
            log,
            failures.subList(0, Math.min(20, failures.size())));
  }

  private void run() {
    for (int i = next.getAndIncrement(); i < count; i = next.getAndIncrement()) {
      while (i >= limit) {
        LockSupport.parkNanos(1_000_000);
      }
      connect(i);
      done.incrementAndGet();
    }
  }

  private void connect(int number) {
    long start = System.nanoTime();
    String who = "-";
    try (Client client = new Client("127.0.1." + (1 + number % CLIENT_ADDRESSES), server)) {
      who = client.who();
      client.send(Client.get("/who", "Connection: close"));
      String answer = client.readAll();
      int at = answer.indexOf("\r\n\r\n" + who);
      if (!answer.startsWith("HTTP/1.1 200 ") || at < 0) {
        throw new IOException("answered by " + answer);
      }
      String pid = answer.substring(answer.lastIndexOf(' ') + 1).strip();
      log(number, start, who, Long.parseLong(pid), "");
    } catch (IOException | NumberFormatException e) {
      log(number, start, who, -1, e.toString());
    }
  }

  private synchronized void log(int number, long start, String who, long pid, String failure) {
    long micros = (System.nanoTime() - start) / 1000;
    String outcome = failure.isEmpty() ? "ok" : "FAILED";
    String line = "%d %s %s%d %d %s".formatted(number, outcome, who, pid, micros, failure);
    if (failure.isEmpty()) {
      served.merge(pid, 1, Integer::sum);
    } else {
      failures.add(line);
    }
    try {
      lines.write(line.strip());
      lines.newLine();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  @Override
  public void close() throws IOException {
    next.set(count);
    for (Thread thread : threads) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
    }
    synchronized (this) {
      lines.close();
    }
  }
}
