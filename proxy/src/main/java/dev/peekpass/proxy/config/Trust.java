package dev.peekpass.proxy.config;

/**
 * Whether a backend's receivers do nothing to the proxy on purpose ({@code trust}): by the sockets
 * that they share with it, and by what they keep of a connection that is taken back.
 */
public enum Trust {
  /** Those of root and of the proxy's own user ({@code auto}). */
  AUTO("auto"),
  /** All of them ({@code always}). */
  ALWAYS("always"),
  /** None of them, root's neither ({@code never}). */
  NEVER("never");

  private final String label;

  Trust(String label) {
    this.label = label;
  }

  /** The name in a configuration. */
  public String label() {
    return label;
  }
}
