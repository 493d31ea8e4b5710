package dev.peekpass.it.fault;

import dev.peekpass.it.Running;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/** Looks at a proxy ten times a second, as whoever runs it would, and keeps what was the most. */
final class ProxyWatch implements AutoCloseable {
  private static final long PERIOD_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

  /** By which /proc/PID/stat counts time (proc(5), USER_HZ). */
  private static final long TICK_MILLIS = 10;

  private final Deployment all;
  private final Running proxy;
  private final Thread thread;
  private final AtomicBoolean stopped = new AtomicBoolean();
  private volatile long residentKib;
  private volatile long pending;
  private volatile long answerNanos;
  private final AtomicInteger answers = new AtomicInteger();
  private volatile @Nullable Throwable failure;

  ProxyWatch(Deployment all, Running proxy) {
    this.all = all;
    this.proxy = proxy;
    thread = Thread.ofPlatform().name("watch").start(this::run);
  }

  private void run() {
    try {
      while (!stopped.get()) {
        long begun = System.nanoTime();
        ProxyCounts counts = ProxyCounts.of(all);
        answerNanos = Math.max(answerNanos, System.nanoTime() - begun);
        answers.incrementAndGet();
        pending = Math.max(pending, counts.pending());
        residentKib = Math.max(residentKib, Deployment.residentKib(proxy));
        LockSupport.parkNanos(begun + PERIOD_NANOS - System.nanoTime());
      }
    } catch (Throwable e) {
      failure = e;
    }
  }

  /** The most that was resident so far, in KiB. */
  long residentKib() {
    return residentKib;
  }

  /** The most that were pending so far. */
  long pending() {
    return pending;
  }

  /** The longest that a status took so far. */
  long answerMicros() {
    return answerNanos / 1000;
  }

  /** How many times it gave its status. */
  int answers() {
    return answers.get();
  }

  /** How much time of the processors the proxy has taken so far. */
  static long cpuMillis(Running proxy) {
    try {
      String stat = Files.readString(Path.of("/proc/" + proxy.process.pid() + "/stat"));
      // The name, which may hold anything, is in brackets; utime and stime are fields 14 and 15.
      String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
      return (Long.parseLong(fields[11]) + Long.parseLong(fields[12])) * TICK_MILLIS;
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  @Override
  public void close() {
    stopped.set(true);
    try {
      thread.join();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
    if (failure != null) {
      throw new AssertionError("the proxy did not give its status", failure);
    }
  }
}
