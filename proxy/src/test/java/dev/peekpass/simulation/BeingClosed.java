package dev.peekpass.simulation;

/** Stands in the place of a descriptor that another thread of the process is closing. */
final class BeingClosed extends OpenFile {
  @Override
  int poll() {
    throw new Violation("a descriptor is used that was left to be closed");
  }

  @Override
  void released() {}

  @Override
  public String toString() {
    return "what another thread closes";
  }
}
