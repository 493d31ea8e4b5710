package dev.peekpass.simulation;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Linux;

/** An eventfd(2) counter. */
final class EventFd extends OpenFile {
  private long value;

  void write(long more) {
    value += more;
    wake(Linux.EPOLLIN);
  }

  int read() {
    if (value == 0) {
      return -Errno.EAGAIN;
    }
    value = 0;
    return 0;
  }

  @Override
  int poll() {
    return value > 0 ? Linux.EPOLLIN | Linux.EPOLLOUT : Linux.EPOLLOUT;
  }

  @Override
  void released() {
    value = 0;
  }

  @Override
  public String toString() {
    return "eventfd";
  }
}
