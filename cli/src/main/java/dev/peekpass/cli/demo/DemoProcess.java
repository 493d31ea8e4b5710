package dev.peekpass.cli.demo;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.Closeable;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** A process of the demo, and what it prints. */
final class DemoProcess implements Closeable {
  // The first start of a JVM on a busy machine without a page cache.
  private static final long READY_SECONDS = 60;
  // What serve gives its responses, and a little more.
  private static final long STOP_SECONDS = 8;
  private static final int KEPT_LINES = 40;
  // ^C reaches all processes of a terminal at once: time for us to learn that we are stopping.
  private static final long STOPPING_MILLIS = 500;

  private final String name;
  private final Process process;
  private final CountDownLatch stopping = new CountDownLatch(1);
  private final CountDownLatch ready;
  private final String readyPrefix;
  private final List<String> announced = new ArrayList<>();
  private final Deque<String> lastLines = new ArrayDeque<>();
  private final Consumer<String> print;
  private volatile boolean endedEarly;

  private DemoProcess(
      String name, Process process, String readyPrefix, int readyLines, Consumer<String> print) {
    this.name = name;
    this.process = process;
    this.readyPrefix = readyPrefix;
    this.print = print;
    ready = new CountDownLatch(readyLines);
  }

  /**
   * Starts a process.
   *
   * @param name how it is called in what the demo prints
   * @param readyPrefix how the lines begin that it prints when it is ready
   * @param readyLines how many of them it prints
   * @param print takes its other lines, and the news of its unexpected end
   */
  static DemoProcess start(
      String name, List<String> command, String readyPrefix, int readyLines, Consumer<String> print)
      throws IOException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    DemoProcess started = new DemoProcess(name, process, readyPrefix, readyLines, print);
    Thread.ofPlatform().daemon().name(name).start(started::read);
    return started;
  }

  /**
   * Waits until it has printed its ready lines.
   *
   * @return them, without the prefix
   * @throws IOException if it ends first, or takes too long; the message has what it printed
   */
  List<String> awaitReady() throws IOException, InterruptedException {
    boolean inTime = ready.await(READY_SECONDS, TimeUnit.SECONDS);
    synchronized (this) {
      if (inTime && !endedEarly) {
        return List.copyOf(announced);
      }
      String why = inTime ? "has ended before it was ready" : "does not get ready";
      throw new IOException("the " + name + " " + why + ":\n  " + String.join("\n  ", lastLines));
    }
  }

  /** Its process id. */
  long pid() {
    return process.pid();
  }

  /** Ends it as kill -9 does, and waits until it is gone. */
  void kill() throws InterruptedException {
    stopping.countDown();
    process.destroyForcibly().waitFor();
  }

  /** Ends it by SIGTERM, by SIGKILL if that does not help in time. */
  @Override
  public void close() {
    stopping.countDown();
    process.destroy();
    try {
      if (!process.waitFor(STOP_SECONDS, TimeUnit.SECONDS)) {
        print.accept(name + " does not stop; killed");
        process.destroyForcibly();
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }

  private void read() {
    try (BufferedReader lines = process.inputReader(UTF_8)) {
      for (String line; (line = lines.readLine()) != null; ) {
        take(line);
      }
    } catch (IOException e) {
      print.accept(name + ": its output cannot be read: " + e.getMessage());
    }
    end();
  }

  private void take(String line) {
    if (line.startsWith(readyPrefix) && ready.getCount() > 0) {
      synchronized (this) {
        announced.add(line.substring(readyPrefix.length()));
      }
      ready.countDown();
      return;
    }
    synchronized (this) {
      lastLines.add(line);
      if (lastLines.size() > KEPT_LINES) {
        lastLines.remove();
      }
    }
    print.accept("[" + name + "] " + line);
  }

  private void end() {
    boolean wasReady = ready.getCount() == 0;
    endedEarly = !wasReady;
    while (ready.getCount() > 0) {
      ready.countDown();
    }
    try {
      int status = process.waitFor();
      if (wasReady && !stopping.await(STOPPING_MILLIS, TimeUnit.MILLISECONDS)) {
        print.accept("the " + name + ", process " + pid() + ", has died with status " + status);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
