package dev.peekpass.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;

/**
 * Which signals wait and which are thrown away, for a start (signal(7)). Results are as in {@link
 * Kernel}. Sets of signals are words: bit {@code n - 1} is signal {@code n}.
 *
 * <p>What is blocked and ignored survives execve(2), and so does a signal that waits meanwhile: the
 * kernel throws away what is ignored only where it is not blocked.
 */
public final class SignalCalls {
  // rt_sigprocmask(2)
  private static final int SIG_BLOCK = 0;
  private static final int SIG_UNBLOCK = 1;

  // rt_sigaction(2)
  private static final int SIG_DFL = 0;
  private static final int SIG_IGN = 1;

  private static final int SET_BYTES = 8;

  /** The kernel's struct sigaction: handler, flags, restorer, set. */
  private static final int ACTION_BYTES = 32;

  private SignalCalls() {}

  /** The set of one signal. */
  public static long setOf(int signal) {
    return 1L << (signal - 1);
  }

  /** rt_sigprocmask(2) with SIG_BLOCK, of the calling thread. */
  public static int block(long set) {
    return mask(SIG_BLOCK, set);
  }

  /** rt_sigprocmask(2) with SIG_UNBLOCK, of the calling thread. */
  public static int unblock(long set) {
    return mask(SIG_UNBLOCK, set);
  }

  private static int mask(int how, long set) {
    try (Arena arena = Arena.ofConfined()) {
      return ProcessCalls.call("rt_sigprocmask", how, word(arena, set), 0, SET_BYTES, 0);
    }
  }

  /** rt_sigaction(2) with SIG_DFL, of the process. One that waits goes on waiting. */
  public static int setDefault(int signal) {
    return act(signal, SIG_DFL);
  }

  /** rt_sigaction(2) with SIG_IGN, of the process. One that waits is thrown away. */
  public static int setIgnored(int signal) {
    return act(signal, SIG_IGN);
  }

  private static int act(int signal, int handler) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment action = arena.allocate(ACTION_BYTES, 8);
      action.asByteBuffer().order(ByteOrder.nativeOrder()).putLong(0, handler);
      return ProcessCalls.call("rt_sigaction", signal, action.address(), 0, SET_BYTES, 0);
    }
  }

  /**
   * rt_sigtimedwait(2) without end, for signals that the calling thread blocks.
   *
   * @return the signal; -EINTR, or what a filter of system calls makes of it, such as -ENOSYS
   */
  public static int await(long set) {
    try (Arena arena = Arena.ofConfined()) {
      return ProcessCalls.call("rt_sigtimedwait", word(arena, set), 0, 0, SET_BYTES, 0);
    }
  }

  /** gettid(2). */
  public static int thread() {
    return ProcessCalls.call("gettid", 0, 0, 0, 0, 0);
  }

  /** tgkill(2): a signal to one thread of this process. */
  public static int sendTo(int process, int thread, int signal) {
    return ProcessCalls.call("tgkill", process, thread, signal, 0, 0);
  }

  private static long word(Arena arena, long value) {
    MemorySegment word = arena.allocate(8, 8);
    word.asByteBuffer().order(ByteOrder.nativeOrder()).putLong(0, value);
    return word.address();
  }
}
