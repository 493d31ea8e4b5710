package dev.peekpass.linux;

import java.io.IOException;

/** A system call failed where no part of the program can go on without it. */
public final class SystemCallException extends IOException {
  private static final long serialVersionUID = 1L;

  private final int errno;

  /**
   * Describes the failure.
   *
   * @param call the call and what it was for, as in {@code bind 0.0.0.0:443}
   * @param errno the positive error number
   * @param remedy what the reader can do about it, or an empty string
   */
  public SystemCallException(String call, int errno, String remedy) {
    super(call + ": " + Errno.name(errno) + (remedy.isEmpty() ? "" : ": " + remedy));
    this.errno = errno;
  }

  /** The positive error number. */
  public int errno() {
    return errno;
  }
}
