package dev.peekpass.receiver;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import org.jspecify.annotations.Nullable;

/**
 * A few descriptors that a receiver keeps for what it must do at the process's limit of open
 * descriptors: let a logger read its configuration and the time zones, which it does when it logs
 * for the first time. While that runs they are closed, so that it can open files.
 *
 * <p>Other threads may take them meanwhile; then fewer are held until there is room again. Belongs
 * to the thread that uses the receiver's kernel.
 */
final class SpareDescriptors {
  /** How many: a logger opens its files one after the other, each through a few layers. */
  static final int DESCRIPTORS = 8;

  private final Kernel kernel;
  private final Fd original;
  private final @Nullable Fd[] held = new @Nullable Fd[DESCRIPTORS];

  /**
   * Opens none yet.
   *
   * @param original duplicated for it; goes on being the caller's
   */
  SpareDescriptors(Kernel kernel, Fd original) {
    this.kernel = kernel;
    this.original = original;
  }

  /** Opens those that are closed, as far as there is room. */
  void open() {
    for (int i = 0; i < held.length; i++) {
      if (held[i] == null) {
        int r = kernel.fcntl(original, Linux.F_DUPFD_CLOEXEC, 0);
        if (r < 0) {
          return;
        }
        held[i] = Fd.of(r);
      }
    }
  }

  /** Closes those that are open. */
  void close() {
    for (int i = 0; i < held.length; i++) {
      Fd fd = held[i];
      if (fd != null) {
        held[i] = null;
        kernel.close(fd);
      }
    }
  }
}
