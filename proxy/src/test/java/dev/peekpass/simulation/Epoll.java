package dev.peekpass.simulation;

import dev.peekpass.linux.EpollEvents;
import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Linux;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/**
 * An epoll instance, as fs/eventpoll.c has it: a list of what may be ready, to which a wake-up adds
 * and from which a look takes; level-triggered entries that were reported stay in it.
 */
final class Epoll extends OpenFile {
  private static final int ALWAYS = Linux.EPOLLERR | Linux.EPOLLHUP;

  /** A watched description, by the number it was added as. */
  final class Item {
    private final OpenFile file;
    private final int number;
    private int interest;
    private long data;
    private boolean listed;

    Item(OpenFile file, int number) {
      this.file = file;
      this.number = number;
    }

    boolean isOf(Epoll epoll, int asNumber) {
      return epoll == Epoll.this && number == asNumber;
    }

    int number() {
      return number;
    }

    boolean isListed() {
      return listed;
    }

    private int ready() {
      return file.poll() & (interest | ALWAYS);
    }

    void wake(int events) {
      if (events == 0 || (events & (interest | ALWAYS)) != 0) {
        list();
      }
    }

    private void list() {
      if (!listed) {
        listed = true;
        ready.add(this);
        // Another epoll may watch this one.
        Epoll.this.wake(Linux.EPOLLIN);
      }
    }

    /** Takes it out of everything; its description is gone or no longer watched. */
    void forget() {
      items.remove(this);
      ready.remove(this);
      file.unwatchedBy(this);
    }
  }

  private final List<Item> items = new ArrayList<>();
  private final ArrayDeque<Item> ready = new ArrayDeque<>();

  int add(OpenFile file, int number, int interest, long data) {
    if (file.watcher(this, number) != null) {
      return -Errno.EEXIST;
    }
    Item item = new Item(file, number);
    file.watchedBy(item);
    items.add(item);
    return set(item, interest, data);
  }

  int modify(OpenFile file, int number, int interest, long data) {
    Item item = file.watcher(this, number);
    return item == null ? -Errno.ENOENT : set(item, interest, data);
  }

  private static int set(Item item, int interest, long data) {
    item.interest = interest;
    item.data = data;
    if (item.ready() != 0) {
      item.list();
    }
    return 0;
  }

  int delete(OpenFile file, int number) {
    Item item = file.watcher(this, number);
    if (item == null) {
      return -Errno.ENOENT;
    }
    item.forget();
    return 0;
  }

  /** Fetches what is ready; returns how many entries are set. */
  int fetch(EpollEvents events) {
    int count = 0;
    List<Item> stillReady = new ArrayList<>();
    for (int left = ready.size(); left > 0 && count < events.capacity(); left--) {
      Item item = ready.remove();
      item.listed = false;
      int now = item.ready();
      if (now != 0) {
        events.set(count++, now, item.data);
        if ((now & Linux.EPOLLOUT) != 0 && item.file instanceof UnixSocket sender) {
          sender.toldOfRoom();
        }
        if ((item.interest & Linux.EPOLLET) == 0) {
          stillReady.add(item);
        }
      }
    }
    stillReady.forEach(Item::list);
    return count;
  }

  @Override
  int poll() {
    return ready.isEmpty() ? 0 : Linux.EPOLLIN;
  }

  @Override
  void released() {
    List.copyOf(items).forEach(Item::forget);
  }

  @Override
  public String toString() {
    return "epoll";
  }
}
