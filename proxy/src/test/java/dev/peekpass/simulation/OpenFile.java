package dev.peekpass.simulation;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a descriptor stands for, an open file description: it lives while any descriptor of any
 * process, or a message on its way, refers to it, and epoll watches it as long as it lives.
 */
abstract class OpenFile {
  private final List<Epoll.Item> watchers = new ArrayList<>(1);
  private int references;
  private boolean watchExcused;

  /** What epoll would see now, EPOLL… bits. */
  abstract int poll();

  /** The last reference has gone. */
  abstract void released();

  final void retain() {
    references++;
  }

  final void drop() {
    if (references <= 0) {
      throw new Violation(this + " is let go of more often than it was taken");
    }
    if (--references == 0) {
      for (Epoll.Item item : List.copyOf(watchers)) {
        item.forget();
      }
      watchers.clear();
      released();
    }
  }

  final int references() {
    return references;
  }

  /**
   * Tells those who watch that something changed.
   *
   * @param events what became true, so that those who do not care are left alone; 0 tells all
   */
  final void wake(int events) {
    for (int i = 0; i < watchers.size(); i++) {
      watchers.get(i).wake(events);
    }
  }

  final Epoll.@Nullable Item watcher(Epoll epoll, int number) {
    for (Epoll.Item item : watchers) {
      if (item.isOf(epoll, number)) {
        return item;
      }
    }
    return null;
  }

  final boolean isWatchedAs(int number) {
    for (Epoll.Item item : watchers) {
      if (item.number() == number) {
        return true;
      }
    }
    return false;
  }

  /** Whether some epoll has it on its list of what may be ready. */
  final boolean isListed() {
    for (Epoll.Item item : watchers) {
      if (item.isListed()) {
        return true;
      }
    }
    return false;
  }

  final boolean isWatched() {
    return !watchers.isEmpty();
  }

  /** A fault kept the process from knowing whether epoll watches it. */
  final void excuseWatch() {
    watchExcused = true;
  }

  /** Whether it may be closed while epoll watches it, which then ends, since nobody else has it. */
  final boolean isWatchExcused() {
    return watchExcused && references == 1;
  }

  final void watchedBy(Epoll.Item item) {
    watchers.add(item);
  }

  final void unwatchedBy(Epoll.Item item) {
    watchers.remove(item);
  }
}
