package dev.peekpass.proxy;

import dev.peekpass.linux.Fd;
import dev.peekpass.proxy.turn.DescriptorCloser;
import dev.peekpass.simulation.SimulatedKernel;

/** Another thread of the simulated process, which closes what the loop must not. */
final class SimulatedCloser implements DescriptorCloser {
  private final SimulatedKernel kernel;
  private final long mostNanos;

  private SimulatedCloser(SimulatedKernel kernel, long mostNanos) {
    this.kernel = kernel;
    this.mostNanos = mostNanos;
  }

  /**
   * Makes them.
   *
   * @param mostNanos how long it takes until a descriptor is closed, at most
   */
  static Factory of(SimulatedKernel kernel, long mostNanos) {
    return turn -> new SimulatedCloser(kernel, mostNanos);
  }

  @Override
  public void close(Fd descriptor) {
    kernel.closeAside(descriptor, mostNanos);
  }

  /** Never, as the tests of the real one see to. */
  @Override
  public boolean isFull() {
    return false;
  }
}
