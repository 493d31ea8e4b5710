package dev.peekpass.receiver;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Linux;
import dev.peekpass.receiver.TestProxy.Accepted;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.KeyStore;
import java.util.Random;
import java.util.concurrent.FutureTask;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the application can do with a channel: all that it can with one of its own accept. */
class AdoptedChannelTest {
  private static final char[] PASSWORD = "password".toCharArray();

  @TempDir Path dir;
  private final TestProxy proxy = new TestProxy();
  private Receiver receiver;
  private Fd to;

  @BeforeEach
  void open() throws IOException {
    Path path = dir.resolve("app.sock");
    receiver = Receiver.builder(path).type(SocketType.STREAM).open();
    to = proxy.connect(path, SocketType.STREAM);
  }

  @AfterEach
  void close() throws IOException {
    receiver.close();
    proxy.close();
  }

  private SocketChannel receive(Accepted accepted) throws IOException {
    proxy.pass(to, accepted);
    return receiver.accept();
  }

  @Test
  void itIsBlockingAlsoInTheKernel() throws Exception {
    Accepted accepted = proxy.client();
    assertThat(proxy.kernel.fcntl(accepted.fd(), Linux.F_GETFL, 0) & Linux.O_NONBLOCK).isNotZero();
    proxy.send(to, accepted.fd());
    try (SocketChannel connection = receiver.accept()) {
      assertThat(connection.isBlocking()).isTrue();
      // The flag is of the file description, which the sender's copy shares.
      assertThat(proxy.kernel.fcntl(accepted.fd(), Linux.F_GETFL, 0) & Linux.O_NONBLOCK).isZero();
    }
  }

  @Test
  void itWorksWithASelector() throws Exception {
    Accepted accepted = proxy.client();
    try (SocketChannel connection = receive(accepted);
        Selector selector = Selector.open()) {
      connection.configureBlocking(false);
      SelectionKey key = connection.register(selector, SelectionKey.OP_READ);
      assertThat(selector.selectNow()).isZero();
      accepted.client().getOutputStream().write('x');
      assertThat(selector.select()).isOne();
      assertThat(key.isReadable()).isTrue();
      ByteBuffer buffer = ByteBuffer.allocate(8);
      assertThat(connection.read(buffer)).isOne();
      assertThat(connection.read(buffer)).isZero();
    }
  }

  @Test
  void itsSocketHasStreamsAndOptions() throws Exception {
    Accepted accepted = proxy.client();
    try (SocketChannel connection = receive(accepted)) {
      Socket socket = connection.socket();
      assertThat(socket.isConnected()).isTrue();
      assertThat(socket.getPort()).isEqualTo(accepted.client().getLocalPort());
      socket.setSoTimeout(60_000);
      accepted.client().getOutputStream().write("line\n".getBytes(US_ASCII));
      assertThat(
              new BufferedReader(new InputStreamReader(socket.getInputStream(), US_ASCII))
                  .readLine())
          .isEqualTo("line");
      socket.setTcpNoDelay(true);
      assertThat(connection.getOption(StandardSocketOptions.TCP_NODELAY)).isTrue();
      socket.getOutputStream().write('!');
      socket.shutdownOutput();
      assertThat(accepted.client().getInputStream().readAllBytes()).isEqualTo(new byte[] {'!'});
    }
  }

  @Test
  void theTrafficClassOfAnIpv4SocketCanBeSet() throws Exception {
    // With the family of a dual-stack JVM, INET6, this fails on a socket of AF_INET.
    try (SocketChannel connection = receive(proxy.client())) {
      connection.socket().setTrafficClass(0x10);
      assertThat(connection.socket().getTrafficClass()).isEqualTo(0x10);
    }
  }

  @Test
  void ipv6AddressesAreTrue() throws Exception {
    Fd listener = proxy.listen("::1");
    Accepted accepted = proxy.client(listener, "::1");
    try (SocketChannel connection = receive(accepted)) {
      assertThat(connection.getRemoteAddress())
          .isEqualTo(accepted.client().getLocalSocketAddress());
      assertThat(connection.getLocalAddress())
          .isEqualTo(accepted.client().getRemoteSocketAddress());
      connection.socket().setTrafficClass(0x10);
    }
  }

  @Test
  void mappedIpv4AddressesAreShownAsIpv4() throws Exception {
    Fd listener = proxy.listen("::");
    Accepted accepted = proxy.client(listener, "127.0.0.1");
    try (SocketChannel connection = receive(accepted)) {
      InetSocketAddress remote = (InetSocketAddress) connection.getRemoteAddress();
      assertThat(remote).isEqualTo(accepted.client().getLocalSocketAddress());
      assertThat(remote.getAddress().getHostAddress()).isEqualTo("127.0.0.1");
      connection.socket().setTrafficClass(0x10);
    }
  }

  @Test
  void filesAreSentWithoutCopying() throws Exception {
    byte[] content = new byte[1 << 20];
    new Random(1).nextBytes(content);
    Path file = Files.write(dir.resolve("file"), content);
    Accepted accepted = proxy.client();
    FutureTask<byte[]> read =
        new FutureTask<>(() -> accepted.client().getInputStream().readAllBytes());
    Thread.ofPlatform().start(read);
    try (SocketChannel connection = receive(accepted);
        FileChannel source = FileChannel.open(file, StandardOpenOption.READ)) {
      long sent = 0;
      while (sent < content.length) {
        sent += source.transferTo(sent, content.length - sent, connection);
      }
    }
    assertThat(read.get()).isEqualTo(content);
  }

  @Test
  void aVirtualThreadMayReadIt() throws Exception {
    Accepted accepted = proxy.client();
    try (SocketChannel connection = receive(accepted)) {
      FutureTask<Integer> read = new FutureTask<>(() -> connection.read(ByteBuffer.allocate(8)));
      Thread reader = Thread.startVirtualThread(read);
      while (reader.getState() != Thread.State.WAITING) {
        Thread.onSpinWait();
      }
      accepted.client().getOutputStream().write('x');
      assertThat(read.get()).isOne();
    }
  }

  @Test
  @Tag("processes")
  void tlsRunsOnItsSocket() throws Exception {
    KeyStore keys = throwAwayKeys();
    KeyManagerFactory keyManagers = KeyManagerFactory.getInstance("PKIX");
    keyManagers.init(keys, PASSWORD);
    TrustManagerFactory trustManagers = TrustManagerFactory.getInstance("PKIX");
    trustManagers.init(keys);
    SSLContext tls = SSLContext.getInstance("TLS");
    tls.init(keyManagers.getKeyManagers(), trustManagers.getTrustManagers(), null);

    Accepted accepted = proxy.client();
    FutureTask<String> client =
        new FutureTask<>(() -> {
          try (SSLSocket socket =
              (SSLSocket)
                  tls.getSocketFactory().createSocket(accepted.client(), "localhost", 0, true)) {
            socket.getOutputStream().write("hello".getBytes(US_ASCII));
            return new String(socket.getInputStream().readNBytes(5), US_ASCII);
          }
        });
    Thread.ofPlatform().start(client);
    try (SocketChannel connection = receive(accepted);
        SSLSocket socket =
            (SSLSocket)
                tls.getSocketFactory()
                    .createSocket(connection.socket(), (InputStream) null, true)) {
      socket.setUseClientMode(false);
      byte[] got = socket.getInputStream().readNBytes(5);
      socket.getOutputStream().write(got);
      assertThat(client.get()).isEqualTo("hello");
      assertThat(socket.getSession().getProtocol()).startsWith("TLSv1");
    }
  }

  private KeyStore throwAwayKeys() throws Exception {
    Path file = dir.resolve("keys.p12");
    new Child(
            Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
            "-genkeypair",
            "-alias",
            "test",
            "-keyalg",
            "EC",
            "-dname",
            "CN=localhost",
            "-ext",
            "san=dns:localhost",
            "-storetype",
            "PKCS12",
            "-storepass",
            new String(PASSWORD),
            "-keystore",
            file.toString())
        .requireSuccess();
    KeyStore pair = KeyStore.getInstance(file.toFile(), PASSWORD);
    pair.setCertificateEntry("trusted", pair.getCertificate("test"));
    return pair;
  }
}
