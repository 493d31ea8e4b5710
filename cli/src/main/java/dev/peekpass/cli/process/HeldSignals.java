package dev.peekpass.cli.process;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.SignalCalls;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * SIGHUP, SIGINT and SIGTERM of a process that is starting: they wait in the kernel until something
 * here takes them, over execve(2) too, and none is lost (docs/adr/0028-two-stages.md). Where they
 * were not held from the start, by an env(1) that cannot or without the script, one can be: see
 * {@link #hold}.
 *
 * <p>A signal waits where all threads block it. A JVM unblocks these three in every thread of its
 * own, unless they are ignored. So whoever starts a JVM blocks <em>and</em> ignores them, which is
 * how this knows them: the script ./peekpass before the first program, {@link #handOver} before the
 * second. Nobody else does both; nohup(1), for one, does not block.
 *
 * <pre>{@code
 * held ── begin: a thread waits for those that stop ──┬── handOver: held by the next program
 *                                                     └── handle: the JVM's handlers
 * }</pre>
 *
 * For one thread, but for the one that waits.
 */
public final class HeldSignals {
  private static final Logger LOG = LoggerFactory.getLogger("dev.peekpass.cli");

  private static final int SIGHUP = 1;
  private static final int SIGINT = 2;
  private static final int SIGTERM = 15;

  /** Ends the thread that waits. Nobody else sends it, and by itself it does nothing. */
  private static final int SIGURG = 23;

  private static final List<Integer> ALL = List.of(SIGHUP, SIGINT, SIGTERM);
  private static final long STOPPING = SignalCalls.setOf(SIGINT) | SignalCalls.setOf(SIGTERM);

  /** A signal has asked for the process's end. */
  public static final class StoppedException extends IOException {
    private static final long serialVersionUID = 1;

    private StoppedException() {
      super("stopped by a signal before it served");
    }
  }

  private final long ignored;

  /** Changed by the thread that waits only, before it ends. */
  private long held;

  /** What handlers of this process take though it was held, since it cannot be waited for. */
  private long handled;

  private final Object turn = new Object();
  private @Nullable Thread waiting;
  private int waitingId;
  private boolean stopped;
  private boolean waitingEnds;

  private HeldSignals(long ignored, long held) {
    this.ignored = ignored;
    this.held = held;
  }

  /** Those that this process was started with. */
  public static HeldSignals find() {
    long blocked = 0;
    long ignored = 0;
    try {
      // The process's first thread, which runs nothing of Java.
      for (String line : Files.readAllLines(Path.of("/proc/self/status"), ISO_8859_1)) {
        if (line.startsWith("SigBlk:")) {
          blocked = set(line);
        } else if (line.startsWith("SigIgn:")) {
          ignored = set(line);
        }
      }
    } catch (IOException e) {
      // No /proc: then nothing is known to be held.
    }
    long held = 0;
    for (int signal : ALL) {
      held |= SignalCalls.setOf(signal) & blocked & ignored;
    }
    return new HeldSignals(ignored & ~held, held);
  }

  private static long set(String line) {
    return Long.parseUnsignedLong(line.substring(line.indexOf(':') + 1).strip(), 16);
  }

  /**
   * The start begins: until {@link #handle} or {@link #handOver} a signal that stops the process
   * has {@code stop} called, once, which ends it. A SIGHUP waits, or is answered by what is being
   * done.
   */
  public void begin(Runnable stop) {
    if ((held & SignalCalls.setOf(SIGHUP)) == 0) {
      // Else it would end the process.
      Signals.onHangUp(() -> LOG.debug("SIGHUP: the configuration is being read"));
    }
    if ((held & SignalCalls.setOf(SIGTERM)) == 0) {
      handleStop(stop);
    } else {
      waiting = Thread.ofPlatform().daemon().name("signals").start(() -> await(stop));
    }
  }

  private void handleStop(Runnable stop) {
    Signals.onStop(() -> {
      synchronized (turn) {
        stopped = true;
      }
      stop.run();
    });
  }

  private void await(Runnable stop) {
    SignalCalls.block(SignalCalls.setOf(SIGURG));
    synchronized (turn) {
      waitingId = SignalCalls.thread();
      turn.notifyAll();
    }
    int signal;
    do {
      signal = SignalCalls.await((held & STOPPING) | SignalCalls.setOf(SIGURG));
    } while (signal == -Errno.EINTR);
    if (signal < 0) {
      LOG.warn(
          "rt_sigtimedwait: {}: a signal may be lost where one program of the start becomes the other: see what filters system calls here",
          Errno.name(-signal));
      handleInsteadOfWaiting(stop);
    } else if (signal != SIGURG) {
      stop.run();
    }
  }

  /** As where they are not held. This thread takes them, and so must be there. */
  private void handleInsteadOfWaiting(Runnable stop) {
    handled = held & STOPPING;
    held &= ~STOPPING;
    setDefault(handled);
    handleStop(stop);
    SignalCalls.unblock(handled);
    synchronized (turn) {
      while (!waitingEnds) {
        try {
          turn.wait();
        } catch (InterruptedException e) {
          // Nobody does that.
          return;
        }
      }
    }
  }

  /** The JVM handles nothing that is ignored. */
  private static void setDefault(long set) {
    for (int signal : ALL) {
      if ((set & SignalCalls.setOf(signal)) != 0) {
        SignalCalls.setDefault(signal);
      }
    }
  }

  /** Takes no more: those that come now wait on. Does not return if one has come. */
  private void endWaiting() throws IOException {
    Thread thread = waiting;
    if (thread == null) {
      return;
    }
    waiting = null;
    try {
      synchronized (turn) {
        while (waitingId == 0) {
          turn.wait();
        }
        waitingEnds = true;
        turn.notifyAll();
      }
      SignalCalls.sendTo(LinuxKernel.open().getpid(), waitingId, SIGURG);
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted before it served", e);
    }
  }

  /**
   * Runs what becomes another program, in which they are held.
   *
   * @throws StoppedException when one has come that stops the process; it is ending
   */
  public void handOver(Runnable exec) throws IOException {
    endWaiting();
    synchronized (turn) {
      requireNotStopped();
      hold();
      exec.run();
    }
  }

  private void requireNotStopped() throws StoppedException {
    if (stopped) {
      throw new StoppedException();
    }
  }

  /**
   * In a process where they are not: one that the JVM knows of, and its handler not yet, is lost,
   * and so is one that comes between the two calls and what becomes another program.
   */
  private void hold() {
    for (int signal : ALL) {
      long set = SignalCalls.setOf(signal);
      if (((held | ignored) & set) == 0) {
        SignalCalls.block(set);
        SignalCalls.setIgnored(signal);
      }
    }
  }

  /**
   * From here on handlers of this process are called, on threads of their own.
   *
   * @throws StoppedException as {@link #handOver}
   */
  public void handle(Runnable stop, Runnable reload) throws IOException {
    endWaiting();
    setDefault(held);
    Signals.onStop(stop);
    Signals.onHangUp(reload);
    synchronized (turn) {
      // By a signal that came to the handler before these.
      requireNotStopped();
    }
    if ((held | handled) != 0) {
      // This thread takes them, and so what has waited.
      SignalCalls.unblock(held | handled);
    }
  }
}
