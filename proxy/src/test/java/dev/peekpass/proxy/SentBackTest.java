package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.Message;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.proxy.Tests.Running;
import dev.peekpass.wire.FromReceiver;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Receivers that send descriptors to the proxy whose last close waits (SO_LINGER and data that
 * nobody reads), on this kernel and on one that does not know SO_PASSRIGHTS: the loop does not
 * stand still.
 */
class SentBackTest {
  private static final String SHOP = "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";
  private static final String GOOD = "GET / HTTP/1.1\r\nHost: good.example\r\n\r\n";
  private static final int LINGER_SECONDS = 24;

  /** The real kernel, perhaps as it was before Linux 6.16; the first connect is told of. */
  private static final class TestKernel implements Supplier<Kernel> {
    private final boolean old;
    private final AtomicReference<Runnable> onConnect;
    final AtomicInteger asked = new AtomicInteger();

    TestKernel(boolean old, Runnable onConnect) {
      this.old = old;
      this.onConnect = new AtomicReference<>(onConnect);
    }

    @Override
    public Kernel get() {
      Kernel real = LinuxKernel.open();
      return (Kernel)
          Proxy.newProxyInstance(
              Kernel.class.getClassLoader(),
              new Class<?>[] {Kernel.class},
              (self, method, arguments) -> call(real, method, arguments));
    }

    private Object call(Kernel real, Method method, @Nullable Object[] arguments)
        throws IllegalAccessException, InvocationTargetException {
      String name = method.getName();
      if (name.equals("setsockopt") && Integer.valueOf(Linux.SO_PASSRIGHTS).equals(arguments[2])) {
        asked.incrementAndGet();
        if (old) {
          return -Errno.ENOPROTOOPT;
        }
      }
      Object r = method.invoke(real, arguments);
      boolean connected = name.equals("connect") && Integer.valueOf(0).equals(r);
      if (connected && String.valueOf(arguments[1]).endsWith("/a")) {
        onConnect.getAndSet(() -> {}).run();
      }
      return r;
    }
  }

  /** A TCP connection whose last close waits for its peer, who never reads. */
  private static final class Lingering implements AutoCloseable {
    private final SocketChannel sender;
    private final Socket peer;
    final Fd fd;

    Lingering(Kernel kernel) throws IOException {
      try (ServerSocket server = new ServerSocket()) {
        server.setReceiveBufferSize(4096);
        server.bind(new java.net.InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        sender = SocketChannel.open(server.getLocalSocketAddress());
        peer = server.accept();
      }
      sender.configureBlocking(false);
      ByteBuffer data = ByteBuffer.allocate(1 << 16);
      while (sender.write(data) > 0) {
        data.clear();
      }
      sender.setOption(java.net.StandardSocketOptions.SO_LINGER, LINGER_SECONDS);
      fd = number(kernel, sender.socket().getLocalPort());
    }

    /** The descriptor of a socket, found by its port. */
    private static Fd number(Kernel kernel, int port) throws IOException {
      SockAddr address = new SockAddr();
      try (var files = Files.list(Path.of("/proc/self/fd"))) {
        return files
            .map(file -> Fd.of(Integer.parseInt(file.getFileName().toString())))
            .filter(fd -> kernel.getsockname(fd, address) == 0)
            .filter(fd -> address.toString().endsWith(":" + port))
            .filter(fd -> kernel.getpeername(fd, address) == 0)
            .findFirst()
            .orElseThrow();
      }
    }

    @Override
    public void close() throws IOException {
      peer.close(); // resets it, so that nobody waits for it any more
    }
  }

  @TempDir private Path dir;
  private final Kernel kernel = LinuxKernel.open();
  private final Message message = new Message(64, 4);

  private String config(String method) {
    return """
    listeners:
      - { bind: "127.0.0.1:0", peek-timeout: 10s }
    backends:
      shop: { handoff: "unix:%s", method: %s, hand-off-timeout: 1m }
      good: { handoff: "unix:%s", method: datagram }
    routes:
      - { host: shop.example, backend: shop }
      - { host: good.example, backend: good }
    """
        .formatted(dir.resolve("a"), method, dir.resolve("b"));
  }

  private Fd listen(int type) {
    Fd listener = Fd.of(kernel.socket(Linux.AF_UNIX, type | Linux.SOCK_NONBLOCK, 0));
    SockAddr address = new SockAddr();
    address.unix(dir.resolve("a").toString());
    assertThat(kernel.bind(listener, address)).isZero();
    assertThat(kernel.listen(listener, 16)).isZero();
    return listener;
  }

  private static Socket request(Running running, String text) throws IOException {
    Socket client = running.connect();
    client.setSoTimeout(20_000);
    client.getOutputStream().write(text.getBytes(StandardCharsets.ISO_8859_1));
    return client;
  }

  private int sendBack(Fd channel, Fd descriptor) {
    message.beginSend(FromReceiver.writeHello(message.payload(), 16, false, 256));
    message.add(descriptor);
    return kernel.sendmsg(channel, message, Linux.MSG_NOSIGNAL | Linux.MSG_DONTWAIT);
  }

  /** Accepts the proxy's UNIX connection, sends a descriptor back, and ends the connection. */
  private int sendBack(Fd listener, Lingering lingering) {
    int accepted = kernel.accept4(listener, null, Linux.SOCK_CLOEXEC);
    assertThat(accepted).isNotNegative();
    Fd channel = Fd.of(accepted);
    int sent = sendBack(channel, lingering.fd);
    if (sent > 0) {
      // From here on the last copy is the one on its way to the proxy.
      kernel.close(lingering.fd);
    }
    kernel.close(channel);
    return sent;
  }

  @ParameterizedTest
  @CsvSource({
    "acknowledged, false",
    "acknowledged, true",
    "persistent, false",
    "persistent, true",
    "once, false",
    "once, true",
  })
  void theLoopDoesNotStandStill(String method, boolean old) throws Exception {
    boolean acknowledged = method.equals("acknowledged");
    Fd listener = listen(acknowledged ? Linux.SOCK_SEQPACKET : Linux.SOCK_STREAM);
    AtomicInteger sent = new AtomicInteger();
    Lingering lingering = new Lingering(kernel);
    // On the loop's thread, right after connect: what is sent later is sent back no less.
    TestKernel kernels = new TestKernel(old, () -> sent.set(sendBack(listener, lingering)));
    try (TestReceiver good = TestReceiver.datagram(dir.resolve("b"));
        Running running = new Running(config(method), kernels);
        Socket shop = request(running, SHOP)) {
      Tests.await("it was tried", () -> sent.get() != 0);
      if (!(acknowledged && old)) {
        assertThat(-sent.get()).isIn(Errno.EPERM, Errno.EPIPE);
      }
      try (Socket client = request(running, GOOD)) {
        client.setSoTimeout(LINGER_SECONDS / 6 * 1000);
        Fd[] taken = new Fd[1];
        long start = System.nanoTime();
        Tests.await("the loop goes on", () -> (taken[0] = good.poll()) != null);
        good.answer(taken[0], "good");
        assertThat(client.getInputStream().readAllBytes()).asString().isEqualTo("good");
        assertThat(System.nanoTime() - start).isLessThan(LINGER_SECONDS / 6 * 1_000_000_000L);
      }
      assertThat(shop.isConnected()).isTrue();
      if (old) {
        assertThat(kernels.asked.get()).as("times the kernel was asked").isOne();
      }
    } finally {
      lingering.close();
      if (sent.get() < 0) {
        kernel.close(lingering.fd);
      }
      kernel.close(listener);
    }
  }

  /** Nobody can send anything to a socket without a name that nobody is connected to. */
  @Test
  void aDatagramChannelHasNoName() throws Exception {
    String[] name = new String[1];
    Supplier<Kernel> watching =
        () -> {
          Kernel real = LinuxKernel.open();
          SockAddr address = new SockAddr();
          return (Kernel)
              Proxy.newProxyInstance(
                  Kernel.class.getClassLoader(),
                  new Class<?>[] {Kernel.class},
                  (self, method, arguments) -> {
                    Object r = method.invoke(real, arguments);
                    if (method.getName().equals("sendmsg")) {
                      assertThat(real.getsockname((Fd) arguments[0], address)).isZero();
                      name[0] = address.toString();
                    }
                    return r;
                  });
        };
    try (TestReceiver good = TestReceiver.datagram(dir.resolve("b"));
        Running running = new Running(config("once"), watching);
        Socket client = request(running, GOOD)) {
      good.answer(good.take(), "good");
      assertThat(client.getInputStream().readAllBytes()).asString().isEqualTo("good");
      assertThat(name[0]).isEqualTo("unix:");
    }
  }
}
