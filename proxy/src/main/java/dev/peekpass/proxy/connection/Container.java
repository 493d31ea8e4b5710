package dev.peekpass.proxy.connection;

/**
 * Where a connection stands. Each that has not ended stands in exactly one container, from {@link
 * Connection#begin} to {@link Ending#release}. It comes in by a call of the container's that first
 * takes it out of where it stood, and goes out by coming into another or by its end.
 */
public interface Container {
  /** The stage of all that stand here. */
  Stage stage();

  /**
   * Takes a connection out that stands here. Called by whatever takes it in, and by {@link Ending},
   * only.
   */
  void remove(Connection connection);
}
