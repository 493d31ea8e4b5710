package dev.peekpass.proxy.turn;

import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.proxy.status.Stall;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks from a thread of its own whether loops stand still, says in which call, and gets those out
 * that wait in close(2).
 *
 * <p>Nothing that a loop calls should ever wait. Should one do so all the same, all its sites stand
 * still: then an operator must be able to see why. A close(2) that lingers (SO_LINGER, socket(7))
 * ends when a signal comes, and the kernel goes on sending what was to be sent.
 */
public final class StallWatch {
  /** How long a loop may take for one thing before it is said to stand still. */
  public static final long STALL_NANOS = 100_000_000;

  /** How long a close(2) may take before it is interrupted: by a loop, and by a thread for it. */
  private static final long LOOP_CLOSE_NANOS = 15_000_000;

  private static final long ASIDE_CLOSE_NANOS = 1_000_000;

  /** How often it looks: while nobody has anything to do, while loops have, while others close. */
  private static final long IDLE_NANOS = 100_000_000;

  private static final long BUSY_NANOS = 50_000_000;
  private static final long CLOSING_NANOS = 2_000_000;

  /** What is said of one thread, at most one line in this time. */
  private static final long LOG_NANOS = 10_000_000_000L;

  /** Where system calls are made. */
  private static final String KERNELS = Kernel.class.getPackageName() + ".Linux";

  private static final Logger LOG = LoggerFactory.getLogger("dev.peekpass.proxy");

  /** What it knows of one thread. */
  private static final class Watched {
    final Pulse pulse;
    final boolean closesOnly;
    long beat;
    long sinceNanos;
    boolean told;
    long logAgainNanos = Long.MIN_VALUE;

    Watched(Pulse pulse, boolean closesOnly) {
      this.pulse = pulse;
      this.closesOnly = closesOnly;
    }
  }

  private final Kernel kernel;
  private final int process;
  private final boolean interrupts;
  private final List<Watched> watched = new CopyOnWriteArrayList<>();
  private volatile boolean stopped;

  /**
   * Makes one that does not look yet.
   *
   * @param kernel of its thread alone, once that runs
   */
  public StallWatch(Kernel kernel) {
    this.kernel = kernel;
    process = kernel.getpid();
    interrupts = kernel.catchSignal(Linux.SIGURG) >= 0;
  }

  /** Looks at a loop, too. */
  public void watchLoop(Pulse pulse) {
    watched.add(new Watched(pulse, false));
  }

  /** Looks at a thread, too, that does nothing but close descriptors, and may wait for that. */
  void watchCloser(Pulse pulse) {
    watched.add(new Watched(pulse, true));
  }

  /** Begins to look. Where there can be no thread for it all works, but for what this is for. */
  public void start() {
    try {
      Thread.ofPlatform().daemon().name("stall-watch").start(this::run);
    } catch (OutOfMemoryError e) {
      LOG.error("loops are not watched: there can be no thread for that: {}", e.getMessage());
    }
  }

  /** Ends it. */
  public void stop() {
    stopped = true;
  }

  private void run() {
    while (!stopped) {
      long pause = IDLE_NANOS;
      watched.removeIf(one -> one.pulse.hasEnded());
      for (Watched one : watched) {
        pause = Math.min(pause, lookContained(one));
      }
      LockSupport.parkNanos(pause);
    }
  }

  /** Whatever goes wrong here, it goes on: without it nobody gets a loop out. */
  private long lookContained(Watched one) {
    try {
      return look(one, kernel.nanoTime());
    } catch (RuntimeException | OutOfMemoryError e) {
      one.told = true;
      return IDLE_NANOS;
    }
  }

  /** Looks at one thread; returns when to look again. */
  private long look(Watched one, long nowNanos) {
    long beat = one.pulse.now();
    if (beat != one.beat || beat == 0) {
      one.beat = beat;
      one.sinceNanos = nowNanos;
      one.told = false;
    } else if (one.closesOnly) {
      if (nowNanos - one.sinceNanos >= ASIDE_CLOSE_NANOS) {
        interrupt(one.pulse);
      }
    } else {
      standsStill(one, nowNanos);
    }
    return beat == 0 ? IDLE_NANOS : one.closesOnly ? CLOSING_NANOS : BUSY_NANOS;
  }

  private void standsStill(Watched one, long nowNanos) {
    long nanos = nowNanos - one.sinceNanos;
    Thread thread = one.pulse.thread();
    if (thread == null || nanos < LOOP_CLOSE_NANOS) {
      return;
    }
    StackTraceElement[] stack = thread.getStackTrace();
    if (one.pulse.now() != one.beat) {
      return;
    }
    if (isClosing(stack)) {
      interrupt(one.pulse);
    }
    if (nanos < STALL_NANOS) {
      return;
    }
    String call = describe(stack);
    long millis = nanos / 1_000_000;
    one.pulse.stall(new Stall(thread.getName(), call, millis, false));
    if (!one.told && nowNanos >= one.logAgainNanos) {
      one.logAgainNanos = nowNanos + LOG_NANOS;
      LOG.error(
          "{} has stood still for {} ms in {}: its clients wait meanwhile",
          thread.getName(),
          millis,
          call);
    }
    one.told = true;
  }

  private void interrupt(Pulse pulse) {
    int id = pulse.threadId();
    if (interrupts && id > 0) {
      pulse.interrupted();
      // It may be somewhere else by now: then a call ends with EINTR, and is made anew.
      kernel.tgkill(process, id, Linux.SIGURG);
    }
  }

  private static boolean isClosing(StackTraceElement[] stack) {
    String call = systemCall(stack);
    return call != null && call.startsWith("close");
  }

  private static @Nullable String systemCall(StackTraceElement[] stack) {
    for (StackTraceElement frame : stack) {
      if (frame.getClassName().startsWith(KERNELS)) {
        return frame.getMethodName();
      }
    }
    return null;
  }

  /** The system call and the innermost of ours who made it; without one the innermost of ours. */
  private static String describe(StackTraceElement[] stack) {
    String call = systemCall(stack);
    for (StackTraceElement frame : stack) {
      String type = frame.getClassName();
      if (type.startsWith("dev.peekpass.") && !type.startsWith("dev.peekpass.linux.")) {
        String method = type.substring(type.lastIndexOf('.') + 1) + "." + frame.getMethodName();
        return call == null ? method : call + "(2), called by " + method;
      }
    }
    return call == null ? "no code of Peekpass" : call + "(2)";
  }
}
