package dev.peekpass.proxy.config;

/** Whether a listener looks at a connection's first bytes ({@code peek}). */
public enum PeekMode {
  /** Waits for the first bytes and routes by the host in them ({@code auto}). */
  AUTO,
  /**
   * Passes each connection at once to the fallback ({@code none}): for protocols in which the
   * server speaks first.
   */
  NONE
}
