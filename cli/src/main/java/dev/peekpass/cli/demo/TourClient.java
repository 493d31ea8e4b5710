package dev.peekpass.cli.demo;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.ByteArrayInputStream;
import java.io.Closeable;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.List;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/**
 * A client of the demo: connects to 127.0.0.1 and asks for a host by name, as {@code curl
 * --resolve} does. Trusts the demo's authority and no other.
 */
final class TourClient implements Closeable {
  private static final Duration TIMEOUT = Duration.ofSeconds(30);
  private static final String LOOPBACK = "127.0.0.1";

  static {
    // Read once, when java.net.http starts. Without name service the URI has the address and Host
    // the name; the client takes the SNI, and what the certificate must say, from SSLParameters.
    System.setProperty("jdk.httpclient.allowRestrictedHeaders", "host");
  }

  private final String host;
  private final SSLContext trusting;
  private final HttpClient http;

  /**
   * A client for one host.
   *
   * @param authorityPem the certificate of the one authority to trust
   */
  TourClient(String host, String authorityPem) throws IOException {
    this.host = host;
    // A context for each client: the JDK resumes sessions by address and port, both the same for
    // all hosts here, and a resumed session brings the name of the host it was made with.
    trusting = trusting(authorityPem);
    http =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .sslContext(trusting)
            .sslParameters(parameters())
            .connectTimeout(TIMEOUT)
            .build();
  }

  /**
   * Trust in one authority.
   *
   * @param pem its certificate
   */
  private static SSLContext trusting(String pem) throws IOException {
    try {
      KeyStore store = KeyStore.getInstance("PKCS12");
      store.load(null, null);
      store.setCertificateEntry(
          "authority",
          CertificateFactory.getInstance("X.509")
              .generateCertificate(new ByteArrayInputStream(pem.getBytes(US_ASCII))));
      TrustManagerFactory trust =
          TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      trust.init(store);
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(null, trust.getTrustManagers(), null);
      return context;
    } catch (GeneralSecurityException e) {
      throw new IOException("the throw-away authority cannot be trusted: " + e.getMessage(), e);
    }
  }

  /**
   * A GET by the JDK's HttpClient.
   *
   * @param scheme {@code https} or {@code http}
   * @throws IOException also when there is no answer in 30 seconds
   */
  <T> HttpResponse<T> get(String scheme, int port, String path, HttpResponse.BodyHandler<T> body)
      throws IOException, InterruptedException {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create(scheme + "://" + LOOPBACK + ":" + port + path))
            .header("Host", host + ":" + port)
            .timeout(TIMEOUT)
            .build();
    return http.send(request, body);
  }

  /**
   * A TCP connection, for what HttpClient does not tell: its own local address.
   *
   * @param from the address to connect from
   */
  static Socket connect(InetAddress from, int port) throws IOException {
    Socket socket = new Socket();
    boolean connected = false;
    try {
      socket.bind(new InetSocketAddress(from, 0));
      socket.connect(
          new InetSocketAddress(InetAddress.ofLiteral(LOOPBACK), port), (int) TIMEOUT.toMillis());
      socket.setSoTimeout((int) TIMEOUT.toMillis());
      connected = true;
      return socket;
    } finally {
      if (!connected) {
        socket.close();
      }
    }
  }

  /**
   * Does a handshake.
   *
   * @param socket closed with the one returned, or when this throws
   */
  SSLSocket handshake(Socket socket) throws IOException {
    boolean done = false;
    try {
      SSLSocket tls =
          (SSLSocket)
              trusting.getSocketFactory().createSocket(socket, host, socket.getPort(), true);
      tls.setSSLParameters(parameters());
      tls.startHandshake();
      done = true;
      return tls;
    } finally {
      if (!done) {
        socket.close();
      }
    }
  }

  /** The body of a GET on a connection, which is over after it. */
  String get(Socket connection, String path) throws IOException {
    String head =
        String.join(
            "\r\n", "GET " + path + " HTTP/1.1", "Host: " + host, "Connection: close", "", "");
    connection.getOutputStream().write(head.getBytes(US_ASCII));
    String response = new String(connection.getInputStream().readAllBytes(), US_ASCII);
    int body = response.indexOf("\r\n\r\n");
    if (body < 0) {
      throw new IOException("no whole response, but " + response.length() + " bytes");
    }
    return response.substring(body + 4);
  }

  @Override
  public void close() {
    http.shutdownNow();
  }

  private SSLParameters parameters() {
    SSLParameters parameters = new SSLParameters();
    parameters.setServerNames(List.of(new SNIHostName(host)));
    parameters.setEndpointIdentificationAlgorithm("HTTPS");
    parameters.setApplicationProtocols(new String[] {"http/1.1"});
    return parameters;
  }
}
