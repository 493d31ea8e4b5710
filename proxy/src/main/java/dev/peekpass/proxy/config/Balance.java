package dev.peekpass.proxy.config;

/** Which of a backend's several sockets is next ({@code balance}). */
public enum Balance {
  /** Each in its turn ({@code round-robin}). */
  ROUND_ROBIN("round-robin"),
  /** The one with the least to do, as far as is known in band ({@code least-connections}). */
  LEAST_CONNECTIONS("least-connections"),
  /** The client's own, by its address ({@code source-hash}). */
  SOURCE_HASH("source-hash");

  private final String label;

  Balance(String label) {
    this.label = label;
  }

  /** The name in a configuration. */
  public String label() {
    return label;
  }
}
