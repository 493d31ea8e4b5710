package dev.peekpass.proxy.turn;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.LinuxKernel;

/** Closes each descriptor on a thread of its own: for what is seldom, and may wait for ever. */
final class ThreadedCloser implements DescriptorCloser {
  ThreadedCloser() {}

  @Override
  public void close(Fd descriptor) {
    Thread.ofPlatform()
        .daemon()
        .name("peekpass-close")
        .start(() -> LinuxKernel.open().close(descriptor));
  }
}
