package dev.peekpass.wire;

/** The protocols whose first bytes name a host. */
public enum Protocol {
  /** TLS 1.0 to 1.3, by the ClientHello's server_name. */
  TLS("tls"),
  /** HTTP/1.0 and HTTP/1.1, by the request target or the Host field. */
  HTTP1("http"),
  /** HTTP/2 with prior knowledge, by {@code :authority} or {@code host} of the first request. */
  HTTP2("h2");

  private final String label;

  Protocol(String label) {
    this.label = label;
  }

  /** The name used in logs, in {@code peekpass peek} and on its {@code --as} flag. */
  public String label() {
    return label;
  }
}
