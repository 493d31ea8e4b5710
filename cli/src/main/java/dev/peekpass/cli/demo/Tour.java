package dev.peekpass.cli.demo;

import dev.peekpass.proxy.advice.Reason;
import java.io.IOException;
import java.io.InputStream;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.function.Consumer;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocket;

/** Shows, step by step, what the proxy does, and checks that it does. */
final class Tour {
  /** Where a backend tells what it sees of a client. */
  static final String WHOAMI = "/.peekpass/whoami";

  private static final String UNKNOWN_HOST = "unknown.example.test";
  // Not the address that the proxy listens on, nor one that a relay would connect from.
  private static final InetAddress CLIENT = InetAddress.ofLiteral("127.0.0.2");
  private static final int KILL_AFTER_BYTES = 4 << 20;

  private final Stage stage;
  private final List<String> hosts;
  private final String authorityPem;
  private final String bigFileSha256;
  private final Consumer<String> print;

  /** What the tour does things to. */
  interface Stage {
    /** Where https is listened for. */
    int httpsPort();

    /** Where http is listened for. */
    int httpPort();

    /** Kills the proxy as kill -9 does; when this returns it is gone. */
    void killProxy() throws InterruptedException;

    /** Starts the proxy again, on the same ports; when this returns it listens. */
    void restartProxy() throws IOException, InterruptedException;
  }

  /** A step: what it showed, or an exception that says what went wrong. */
  private interface Step {
    String show() throws IOException, InterruptedException;
  }

  /**
   * A tour.
   *
   * @param hosts names; the first host's site has the big file
   * @param authorityPem the certificate of the authority that signed the hosts' certificates
   * @param print takes a line at a time
   */
  Tour(
      Stage stage,
      List<String> hosts,
      String authorityPem,
      String bigFileSha256,
      Consumer<String> print) {
    this.stage = stage;
    this.hosts = List.copyOf(hosts);
    this.authorityPem = authorityPem;
    this.bigFileSha256 = bigFileSha256;
    this.print = print;
  }

  /**
   * All steps, also after one that failed.
   *
   * @return whether each showed what it should
   */
  boolean all() throws InterruptedException {
    boolean good = true;
    for (String host : hosts) {
      good &= step("https to " + host, () -> page("https", stage.httpsPort(), host));
    }
    for (String host : hosts) {
      good &= step("http to " + host, () -> page("http", stage.httpPort(), host));
    }
    good &= clientAddress();
    good &= step("https to a name without a route", this::unknownName);
    good &= step("a download that outlives the proxy", this::download);
    good &= step("the proxy again", this::again);
    return good;
  }

  /** The steps about the address that the backend sees. */
  boolean clientAddress() throws InterruptedException {
    boolean good = true;
    for (boolean https : new boolean[] {true, false}) {
      String scheme = https ? "https" : "http";
      String first = hosts.getFirst();
      good &= step("the client's address over " + scheme, () -> clientAddress(first, https));
      if (hosts.contains(Demo.NGINX_HOST)) {
        good &=
            step(
                "the client's address over " + scheme + ", in nginx",
                () -> clientAddress(Demo.NGINX_HOST, https));
      }
    }
    return good;
  }

  private boolean step(String name, Step step) throws InterruptedException {
    try {
      print.accept("ok    " + name + ": " + step.show());
      return true;
    } catch (IOException e) {
      print.accept("FAIL  " + name + ": " + Reason.of(e));
      return false;
    }
  }

  private String page(String scheme, int port, String host)
      throws IOException, InterruptedException {
    try (TourClient client = new TourClient(host, authorityPem)) {
      HttpResponse<String> page = client.get(scheme, port, "/", BodyHandlers.ofString());
      expect("status", "200", Integer.toString(page.statusCode()));
      expectPart("page", "This is " + host, page.body());
      String backend = page.headers().firstValue("X-Backend").orElse("none");
      expect("backend", DemoConfig.label(host), backend);
      String tls = page.sslSession().map(session -> session.getProtocol()).orElse("no TLS");
      expect("protocol", scheme.equals("https") ? "TLSv1.3" : "no TLS", tls);
      String whoami = client.get(scheme, port, WHOAMI, BodyHandlers.ofString()).body();
      expectPart("whoami", "\"backend\":\"" + backend + "\"", whoami);
      return "its page, from backend " + backend + ", " + tls;
    }
  }

  private String clientAddress(String host, boolean https)
      throws IOException, InterruptedException {
    try (TourClient client = new TourClient(host, authorityPem)) {
      int port = https ? stage.httpsPort() : stage.httpPort();
      try (Socket tcp = TourClient.connect(CLIENT, port);
          Socket socket = https ? client.handshake(tcp) : tcp) {
        String own = CLIENT.getHostAddress() + ":" + tcp.getLocalPort();
        String whoami = client.get(socket, WHOAMI);
        expectPart("what the backend sees", "\"remote\":\"" + own + "\"", whoami);
        expectPart("what the backend sees", "\"local\":\"127.0.0.1:" + port + "\"", whoami);
        return "client " + own + " is seen by the backend as " + own;
      }
    }
  }

  private String unknownName() throws IOException {
    try (TourClient client = new TourClient(UNKNOWN_HOST, authorityPem);
        Socket tcp = TourClient.connect(CLIENT, stage.httpsPort());
        SSLSocket socket = client.handshake(tcp)) {
      throw new IOException("no alert, but " + socket.getSession().getProtocol());
    } catch (SSLException e) {
      // RFC 6066 section 3. JSSE tells the alert by its message alone.
      expectPart("alert", "unrecognized_name", Reason.of(e));
      return UNKNOWN_HOST + " is refused with the alert unrecognized_name";
    }
  }

  private String download() throws IOException, InterruptedException {
    MessageDigest digest = DemoSite.sha256();
    long killedAt = 0;
    long bytes = 0;
    try (TourClient client = new TourClient(hosts.getFirst(), authorityPem);
        InputStream in =
            client
                .get(
                    "https",
                    stage.httpsPort(),
                    "/" + DemoSite.BIG_FILE,
                    BodyHandlers.ofInputStream())
                .body()) {
      byte[] buffer = new byte[1 << 16];
      for (int count; (count = in.read(buffer)) >= 0; ) {
        digest.update(buffer, 0, count);
        bytes += count;
        if (killedAt == 0 && bytes >= KILL_AFTER_BYTES) {
          print.accept("      killing the proxy (kill -9) in the middle of the download …");
          stage.killProxy();
          expectNobodyListens();
          killedAt = bytes;
        }
      }
    }
    if (killedAt == 0) {
      throw new IOException("only " + bytes + " bytes came");
    }
    expect("bytes", Long.toString(DemoSite.BIG_FILE_BYTES), Long.toString(bytes));
    expect("SHA-256", bigFileSha256, HexFormat.of().formatHex(digest.digest()));
    return "proxy killed after %.1f of %d MiB; all came, the checksum is right"
        .formatted(killedAt / 1048576.0, bytes >> 20);
  }

  private void expectNobodyListens() throws IOException {
    try (Socket socket = TourClient.connect(CLIENT, stage.httpsPort())) {
      throw new IOException("the proxy is killed, but somebody accepts " + socket);
    } catch (ConnectException e) {
      // That nobody listens is what it should show.
      return;
    }
  }

  private String again() throws IOException, InterruptedException {
    stage.restartProxy();
    return page("https", stage.httpsPort(), hosts.getFirst());
  }

  private static void expect(String what, String expected, String actual) throws IOException {
    if (!expected.equals(actual)) {
      throw new IOException(what + " should be " + expected + ", is " + actual);
    }
  }

  private static void expectPart(String what, String part, String whole) throws IOException {
    if (!whole.contains(part)) {
      throw new IOException(what + " should have " + part + ", is " + whole.strip());
    }
  }
}
