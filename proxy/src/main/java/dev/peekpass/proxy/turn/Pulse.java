package dev.peekpass.proxy.turn;

import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.proxy.status.Stall;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/**
 * How a thread that must not stand still shows that it goes on: it says so with each thing it
 * begins, and that it rests. A {@link StallWatch} looks at it.
 */
public final class Pulse {
  private static final VarHandle BEAT;

  static {
    try {
      BEAT = MethodHandles.lookup().findVarHandle(Pulse.class, "beat", long.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  /** Of the thread alone. */
  private long beats;

  /** Which beat it is in; 0 while it rests. */
  @SuppressWarnings("unused") // by BEAT
  private long beat;

  private volatile @Nullable Thread thread;
  private volatile int threadId;
  private volatile @Nullable Stall last;
  private volatile boolean interrupted;
  private volatile boolean ended;

  /**
   * The calling thread's from now on, which a {@link StallWatch} may interrupt: also where whoever
   * started the program had the signal for that blocked.
   */
  public void belongToCaller(Kernel kernel) {
    kernel.unblockSignal(Linux.SIGURG);
    threadId = kernel.gettid();
    thread = Thread.currentThread();
  }

  /** The thread begins something. */
  public void beat() {
    BEAT.setOpaque(this, ++beats);
  }

  /** The thread waits, as it may. */
  public void rest() {
    BEAT.setOpaque(this, 0L);
  }

  /** The thread rests for ever, and need not be looked at any more. */
  public void end() {
    rest();
    ended = true;
  }

  /** Whether the thread has ended. */
  boolean hasEnded() {
    return ended;
  }

  /** Which beat the thread is in, 0 while it rests; for any thread. */
  long now() {
    return (long) BEAT.getOpaque(this);
  }

  /** Whose it is, or null when nobody's yet. */
  @Nullable Thread thread() {
    return thread;
  }

  /** What the kernel knows the thread by; negative when that is not known. */
  int threadId() {
    return threadId;
  }

  /** The last time the thread stood still, or null; for any thread. */
  public @Nullable Stall last() {
    return last;
  }

  /** A call of the thread has been interrupted, since it waited. */
  void interrupted() {
    interrupted = true;
  }

  /** Whether a call of the thread was interrupted since this was last asked. */
  public boolean takeInterrupted() {
    if (!interrupted) {
      return false;
    }
    interrupted = false;
    return true;
  }

  /** It stands still, or did. */
  void stall(Stall stall) {
    last = stall;
  }
}
