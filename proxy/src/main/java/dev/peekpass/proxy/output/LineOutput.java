package dev.peekpass.proxy.output;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.NativeBuffer;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A descriptor that lines are written to: a file, a pipe, a terminal or a socket.
 *
 * <p>Each write(2) takes whole lines, as many as fit into PIPE_BUF, which pipe(7) promises not to
 * mix with those of another process. A line that was written in part, by a disk that is full, is
 * completed before any other. Lines that cannot be written are lost at once: whoever writes goes on
 * with the next, and so with a disk that has room again. They are counted, and the log tells how
 * many and why, at once and then once a minute.
 */
public final class LineOutput implements LineSink {
  /** PIPE_BUF, limits.h. */
  private static final int PIECE_BYTES = 4096;

  /** How long a wait for room goes on before its end is asked for again. */
  private static final int STEP_MILLIS = 100;

  /** A non-blocking descriptor may have room, but not enough. */
  private static final long NO_ROOM_NANOS = 20_000_000;

  private static final long TELL_NANOS = TimeUnit.MINUTES.toNanos(1);
  private static final int GIVEN_UP = -1;
  private static final byte[] NOTHING = {};

  private static final Logger LOG = LoggerFactory.getLogger("dev.peekpass.proxy");

  private final String name;
  private final Fd descriptor;

  /** Guards the descriptor and what belongs to it, up to {@link #torn}. */
  private final ReentrantLock lock = new ReentrantLock();

  private final Kernel kernel;
  private final NativeBuffer piece = new NativeBuffer(PIECE_BYTES);

  /** What is missing of a line that was written in part. */
  private byte[] torn = NOTHING;

  /** Lines lost that the log has not told of. */
  private final AtomicLong lost = new AtomicLong();

  /** The error number of the latest loss, or {@link #GIVEN_UP}. */
  private volatile int reason;

  /** Guards what follows; never held while a reader is waited for. */
  private final Object telling = new Object();

  private boolean told;
  private long toldNanos;

  /**
   * For a descriptor, which stays its owner's.
   *
   * @param kernel used by this object alone
   * @param name what the log calls it
   */
  public LineOutput(Kernel kernel, Fd descriptor, String name) {
    this.kernel = kernel;
    this.descriptor = descriptor;
    this.name = name;
  }

  @Override
  public int write(byte[] lines, int length, BooleanSupplier givesUp) {
    int whole = 0;
    if (lock(givesUp)) {
      try {
        whole = writeLocked(lines, length, givesUp);
      } finally {
        lock.unlock();
      }
    } else {
      // Another thread waits for the same reader.
      reason = GIVEN_UP;
    }
    int gone = count(lines, whole, length);
    lost.addAndGet(gone);
    tell(false);
    return gone;
  }

  /** Has the log tell at once what it has not told yet: for the end of the process. */
  public void tellLost() {
    tell(true);
  }

  private boolean lock(BooleanSupplier givesUp) {
    try {
      while (!lock.tryLock(STEP_MILLIS, TimeUnit.MILLISECONDS)) {
        if (givesUp.getAsBoolean()) {
          return false;
        }
      }
      return true;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  /** Returns where the lines begin that are lost. */
  private int writeLocked(byte[] lines, int length, BooleanSupplier givesUp) {
    if (torn.length > 0) {
      int at = put(torn, torn.length, givesUp);
      torn = Arrays.copyOfRange(torn, at, torn.length);
      if (torn.length > 0) {
        return 0;
      }
    }
    int at = put(lines, length, givesUp);
    if (at == 0 || at == length || lines[at - 1] == '\n') {
      return at;
    }
    int next = lineEnd(lines, at, length);
    torn = Arrays.copyOfRange(lines, at, next);
    return next;
  }

  /** Writes from the beginning; returns how many bytes were taken, and sets {@link #reason}. */
  private int put(byte[] lines, int length, BooleanSupplier givesUp) {
    int at = 0;
    while (at < length) {
      int end = pieceEnd(lines, at, length);
      piece.bytes().put(0, lines, at, end - at);
      int taken = putPiece(end - at, givesUp);
      at += taken;
      if (at < end) {
        break;
      }
    }
    return at;
  }

  /** The end of the whole lines that fit into a piece; within a line that is longer than one. */
  private static int pieceEnd(byte[] lines, int from, int to) {
    int most = Math.min(to, from + PIECE_BYTES);
    for (int end = most; end > from; end--) {
      if (lines[end - 1] == '\n') {
        return end;
      }
    }
    return most;
  }

  private int putPiece(int length, BooleanSupplier givesUp) {
    int at = 0;
    while (at < length) {
      // A pipe that poll(2) finds writable takes a piece without waiting, so that the thread waits
      // here, where it can end.
      boolean last = givesUp.getAsBoolean();
      int ready = kernel.poll(descriptor, Linux.POLLOUT, last ? 0 : STEP_MILLIS);
      if (ready == 0) {
        if (last) {
          reason = GIVEN_UP;
          break;
        }
        continue;
      }
      int r = kernel.write(descriptor, piece, at, length - at);
      if (r >= 0) {
        at += r;
      } else if (r == -Errno.EAGAIN && !last) {
        LockSupport.parkNanos(NO_ROOM_NANOS);
      } else if (r != -Errno.EINTR) {
        reason = r == -Errno.EAGAIN ? GIVEN_UP : -r;
        break;
      }
    }
    return at;
  }

  private static int lineEnd(byte[] lines, int from, int to) {
    int end = from;
    while (end < to && lines[end] != '\n') {
      end++;
    }
    return Math.min(end + 1, to);
  }

  private static int count(byte[] lines, int from, int to) {
    int count = 0;
    for (int i = from; i < to; i++) {
      if (lines[i] == '\n') {
        count++;
      }
    }
    return count;
  }

  private void tell(boolean atOnce) {
    if (lost.get() == 0) {
      return;
    }
    synchronized (telling) {
      long now = System.nanoTime();
      if (told && !atOnce && now - toldNanos < TELL_NANOS) {
        return;
      }
      told = true;
      toldNanos = now;
    }
    long count = lost.getAndSet(0);
    if (count == 0) {
      // Another thread has just told of them.
      return;
    }
    int why = reason;
    if (why == GIVEN_UP) {
      LOG.warn("{}: nobody read it before it was to end; lines lost: {}", name, count);
    } else {
      LOG.warn("{}: write: {}: {}; lines lost: {}", name, Errno.name(why), remedy(why), count);
    }
  }

  private static String remedy(int errno) {
    return switch (errno) {
      case Errno.ENOSPC, Errno.EDQUOT -> "make room on its file system, and it goes on by itself";
      case Errno.EFBIG ->
          "its file has the greatest size allowed: begin another, or raise RLIMIT_FSIZE (ulimit -f,"
              + " LimitFSIZE=)";
      case Errno.EPIPE ->
          "its reader has ended: take over with a process that has one (peekpass run --takeover), or"
              + " restart";
      default ->
          "look what it is connected to (ls -l /proc/" + ProcessHandle.current().pid() + "/fd)";
    };
  }
}
