package dev.peekpass.proxy.listen;

/**
 * Counts what still needs the objects of a configuration: each connection that has not ended, and
 * each listening socket.
 */
public interface Lease {
  /** One more needs them. */
  void enter();

  /** One has gone. */
  void leave();
}
