package dev.peekpass.wire;

/**
 * What a complete head says: a view that the parsers sharing one {@link ParserScratch} reuse, valid
 * until the next call on any of them. Copy out what must live longer.
 */
public final class Peeked {
  private final HostName host = new HostName();
  private final HostName hostField = new HostName();
  private final AlpnList alpn = new AlpnList();
  private Protocol protocol = Protocol.TLS;
  private int port;
  private int headEnd;
  private int records;
  private boolean encryptedClientHello;

  Peeked() {}

  /** Forgets everything and begins a view of {@code protocol}. */
  void begin(Protocol protocol) {
    this.protocol = protocol;
    host.clear();
    hostField.clear();
    alpn.clear();
    port = -1;
    headEnd = 0;
    records = 0;
    encryptedClientHello = false;
  }

  void port(int port) {
    this.port = port;
  }

  void headEnd(int offset) {
    this.headEnd = offset;
  }

  void records(int count) {
    this.records = count;
  }

  void encryptedClientHello(boolean present) {
    this.encryptedClientHello = present;
  }

  /** The protocol that was spoken. */
  public Protocol protocol() {
    return protocol;
  }

  /** The host named; {@link HostName#isEmpty() empty} when none was. */
  public HostName host() {
    return host;
  }

  /**
   * The host in the Host field of an HTTP/1 request whose target names another one, which {@link
   * #host()} is (RFC 9112 section 3.2.2); {@link HostName#isEmpty() empty} where the two agree or
   * there is only one. A reader that goes by the field would see this one.
   */
  public HostName hostField() {
    return hostField;
  }

  /** The port beside the host, 0 to 65535, or -1 when none was given (always for TLS). */
  public int port() {
    return port;
  }

  /** The protocols that a ClientHello offers by ALPN, in wire order; empty for HTTP. */
  public AlpnList alpn() {
    return alpn;
  }

  /**
   * Whether a ClientHello carries an encrypted_client_hello extension, real or GREASE (RFC 9849).
   * The host is then the outer, public name.
   */
  public boolean encryptedClientHello() {
    return encryptedClientHello;
  }

  /**
   * The offset in bytes just past the head: for TLS past the record that completes the ClientHello,
   * for HTTP/1 past the empty line, for HTTP/2 past the frame that ends the first request's header
   * block.
   */
  public int headEnd() {
    return headEnd;
  }

  /** How many TLS records the ClientHello is spread over; 0 for HTTP. */
  public int records() {
    return records;
  }
}
