package dev.peekpass.proxy.config;

/** How connections are handed to a backend ({@code method}). */
public enum Method {
  /** What the backend's socket turns out to be ({@code auto}). */
  AUTO("auto"),
  /** One connection per UNIX stream connection ({@code once}). */
  ONCE("once"),
  /** Any number of connections over one lasting UNIX stream connection ({@code persistent}). */
  PERSISTENT("persistent"),
  /** One UNIX datagram per connection ({@code datagram}). */
  DATAGRAM("datagram"),
  /** Over a lasting UNIX seqpacket connection, with answers ({@code acknowledged}). */
  ACKNOWLEDGED("acknowledged");

  private final String label;

  Method(String label) {
    this.label = label;
  }

  /** The name in a configuration. */
  public String label() {
    return label;
  }
}
