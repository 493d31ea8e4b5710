package dev.peekpass.proxy.turn;

import dev.peekpass.linux.EpollEvents;
import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.SystemCallException;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * A loop's epoll: which descriptor belongs to whom.
 *
 * <p>A descriptor must be {@linkplain #remove removed} before it is passed or closed: epoll watches
 * what the number stands for, and that lives on in the process it was passed to, reporting events
 * for ever. An event carries its slot's generation, so that one that was already fetched when its
 * descriptor was removed reaches nobody.
 */
public final class Poller {
  private final Kernel kernel;
  private final Fd epoll;
  private final EpollEvents events;
  private @Nullable Pollable[] pollables = new @Nullable Pollable[64];
  private int[] generations = new int[64];
  private int[] free = new int[64];
  private int freeCount;

  /**
   * Makes one that watches nothing.
   *
   * @param mostEvents how many one {@link #await} fetches at most; the others come with the next
   */
  Poller(Kernel kernel, int mostEvents) throws SystemCallException {
    this.kernel = kernel;
    events = new EpollEvents(mostEvents);
    int r = kernel.epollCreate1(Linux.EPOLL_CLOEXEC);
    if (r < 0) {
      throw new SystemCallException("epoll_create1", -r, "raise the limit of open files");
    }
    epoll = Fd.of(r);
    addFreeSlots(0);
  }

  /**
   * Watches a descriptor, which stays the caller's.
   *
   * @return the slot, 0 or more, to modify or remove it by; or -errno
   */
  public int add(Fd descriptor, int interest, Pollable pollable) {
    if (freeCount == 0) {
      grow();
    }
    int slot = free[freeCount - 1];
    int r;
    try {
      r = kernel.epollCtl(epoll, Linux.EPOLL_CTL_ADD, descriptor, interest, data(slot));
      if (r == -Errno.EEXIST) {
        // Left behind by a removal that threw.
        r = kernel.epollCtl(epoll, Linux.EPOLL_CTL_MOD, descriptor, interest, data(slot));
      }
    } catch (RuntimeException | Error e) {
      // It may be watched for all that: then for nobody.
      generations[slot]++;
      kernel.epollCtl(epoll, Linux.EPOLL_CTL_DEL, descriptor, 0, 0);
      throw e;
    }
    if (r < 0) {
      return r;
    }
    freeCount--;
    pollables[slot] = pollable;
    return slot;
  }

  /**
   * Watches another poller: it has news while one of its descriptors has.
   *
   * @throws SystemCallException when the kernel refuses, for want of memory or by a limit
   */
  void add(Poller other, Pollable pollable) throws SystemCallException {
    int r = add(other.epoll, Linux.EPOLLIN, pollable);
    if (r < 0) {
      throw new SystemCallException(
          "epoll_ctl ADD", -r, "raise the limit of what epoll watches (fs.epoll.max_user_watches)");
    }
  }

  /**
   * Changes what a descriptor is watched for.
   *
   * @return false when memory is short; it is then watched for the same as before
   */
  public boolean modify(int slot, Fd descriptor, int interest) {
    int r = kernel.epollCtl(epoll, Linux.EPOLL_CTL_MOD, descriptor, interest, data(slot));
    if (r < 0 && r != -Errno.ENOMEM) {
      throw new IllegalStateException("epoll_ctl MOD " + descriptor + ": " + Errno.name(-r));
    }
    return r >= 0;
  }

  /** Gives a watched descriptor to somebody else; no event of it is lost. */
  public void replace(int slot, Pollable pollable) {
    pollables[slot] = pollable;
  }

  /** Ends watching; the caller still owns the descriptor. */
  public void remove(int slot, Fd descriptor) {
    // The slot first: whatever the call comes to, nobody gets events by it any more.
    pollables[slot] = null;
    generations[slot]++;
    free[freeCount++] = slot;
    int r;
    try {
      r = kernel.epollCtl(epoll, Linux.EPOLL_CTL_DEL, descriptor, 0, 0);
    } catch (RuntimeException | Error e) {
      // It may be watched for all that, and would be reported for ever.
      kernel.epollCtl(epoll, Linux.EPOLL_CTL_DEL, descriptor, 0, 0);
      throw e;
    }
    if (r < 0) {
      throw new IllegalStateException("epoll_ctl DEL " + descriptor + ": " + Errno.name(-r));
    }
  }

  /**
   * Waits for events; {@link #ready} and {@link #events} tell of each. A wait that is interrupted
   * comes to nothing, a look is made again: else somebody's time would be up whose bytes are there.
   *
   * @param timeoutMillis 0 looks only, -1 waits without end
   * @return how many came
   */
  int await(int timeoutMillis) {
    int n;
    do {
      n = kernel.epollWait(epoll, events, timeoutMillis);
    } while (n == -Errno.EINTR && timeoutMillis == 0);
    if (n == -Errno.EINTR) {
      return 0;
    }
    if (n < 0) {
      throw new IllegalStateException("epoll_wait: " + Errno.name(-n));
    }
    return n;
  }

  /** Whom one of the events is for that the last {@link #await} fetched, or null if nobody now. */
  @Nullable Pollable ready(int index) {
    long data = events.data(index);
    int slot = (int) data;
    return generations[slot] == (int) (data >>> 32) ? pollables[slot] : null;
  }

  /** What that event says. */
  int events(int index) {
    return events.events(index);
  }

  /** Closes the epoll descriptor; what was watched stays open. */
  public void close() {
    kernel.close(epoll);
  }

  private long data(int slot) {
    return (long) generations[slot] << 32 | slot;
  }

  private void grow() {
    int old = pollables.length;
    pollables = Arrays.copyOf(pollables, 2 * old);
    generations = Arrays.copyOf(generations, 2 * old);
    free = new int[2 * old];
    addFreeSlots(old);
  }

  private void addFreeSlots(int from) {
    // Lowest last, so that slots are handed out from below.
    for (int slot = pollables.length - 1; slot >= from; slot--) {
      free[freeCount++] = slot;
    }
  }
}
