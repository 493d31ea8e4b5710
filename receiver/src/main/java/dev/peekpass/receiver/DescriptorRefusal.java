package dev.peekpass.receiver;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;

/**
 * The end of descriptors that were received and are given to nobody: no client's connection, taken
 * back, more than may be, of who may not hand off. The one place that closes them.
 */
final class DescriptorRefusal {
  private final Kernel kernel;

  DescriptorRefusal(Kernel kernel) {
    this.kernel = kernel;
  }

  /** Closes a received descriptor; it is not the caller's any more, whatever happens. */
  void refuse(Fd received) {
    kernel.close(received);
  }
}
