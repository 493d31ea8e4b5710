package dev.peekpass.receiver.netty;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Linux;
import dev.peekpass.receiver.Child;
import dev.peekpass.receiver.Loud;
import dev.peekpass.receiver.OpenDescriptors;
import dev.peekpass.receiver.Python;
import dev.peekpass.receiver.SocketType;
import dev.peekpass.receiver.TestProxy;
import dev.peekpass.receiver.TestProxy.Accepted;
import io.netty.channel.Channel;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.nio.NioIoHandler;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class HandOffServerChannelTest {
  @TempDir private Path dir;
  private final TestProxy proxy = new TestProxy();
  private final NettyEcho netty = new NettyEcho();
  private Path path;

  @BeforeEach
  void choosePath() throws IOException {
    path = dir.resolve("app.sock");
    // The JDK opens a socket for itself when it closes its first.
    Accepted first = proxy.client();
    first.client().close();
    proxy.close(first.fd());
  }

  @AfterEach
  void close() throws Exception {
    netty.close();
    proxy.close();
  }

  private static void assertEchoes(Accepted accepted) throws IOException {
    Socket client = accepted.client();
    client.getOutputStream().write("to and fro".getBytes(US_ASCII));
    assertThat(new String(client.getInputStream().readNBytes(10), US_ASCII))
        .isEqualTo("to and fro");
  }

  private static void assertEnded(Socket client) throws IOException {
    try {
      assertThat(client.getInputStream().read()).isEqualTo(-1);
    } catch (java.net.SocketException reset) {
      assertThat(reset).hasMessageContaining("reset");
    }
  }

  /** Connects, and waits until the server has accepted that. */
  private Fd connected(HandOffServerChannel server, SocketType type) {
    Fd to = proxy.connect(path, type);
    while (type == SocketType.STREAM && server.statistics().unixConnections() == 0) {
      LockSupport.parkNanos(1_000_000);
    }
    return to;
  }

  /** Waits until as many descriptors are open as before. */
  private static void awaitAsBefore(Map<Integer, String> before) {
    long start = System.nanoTime();
    while (OpenDescriptors.now().size() != before.size()) {
      assertThat(System.nanoTime() - start)
          .as("as %s within 30 s, but open are %s", before, OpenDescriptors.now())
          .isLessThan(30_000_000_000L);
      LockSupport.parkNanos(1_000_000);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"STREAM", "DATAGRAM"})
  void aConnectionBecomesAnOrdinaryChild(SocketType type) throws Exception {
    HandOffServerChannel server = netty.with(receiver -> receiver.type(type)).bind(path);
    Accepted accepted = proxy.client();
    accepted.client().getOutputStream().write("peeked".getBytes(US_ASCII));
    proxy.pass(proxy.connect(path, type), accepted);

    EpollSocketChannel child = (EpollSocketChannel) netty.child();
    assertThat(accepted.client().getInputStream().readNBytes(6)).asString().isEqualTo("peeked");
    assertEchoes(accepted);
    assertThat(child.remoteAddress()).isEqualTo(accepted.client().getLocalSocketAddress());
    assertThat(child.localAddress()).isEqualTo(accepted.client().getRemoteSocketAddress());
    assertThat(child.config().isTcpNoDelay()).isTrue();
    assertThat(child.config().isKeepAlive()).isTrue();
    assertThat(child.eventLoop().parent()).isSameAs(netty.workers);
    assertThat(child.parent()).isSameAs(server);
    child.close().sync();
    assertEnded(accepted.client());
  }

  @Test
  void aUnixConnectionForEachConnectionWorksLikeOneForAll() throws Exception {
    netty.bind(path);
    for (int i = 0; i < 20; i++) {
      Accepted accepted = proxy.client();
      proxy.once(path, accepted);
      assertEchoes(accepted);
    }
  }

  @Test
  void aChildIsNonBlockingAndNotInheritedWhateverTheSenderDid() throws Exception {
    netty.bind(path);
    Accepted accepted = proxy.client();
    proxy.kernel.fcntl(accepted.fd(), Linux.F_SETFL, 0);
    proxy.pass(proxy.connect(path, SocketType.STREAM), accepted);

    int number = ((EpollSocketChannel) netty.child()).fd().intValue();
    String flags = Files.readAllLines(Path.of("/proc/self/fdinfo/" + number)).get(1);
    // O_NONBLOCK and O_CLOEXEC in octal, proc_pid_fdinfo(5).
    assertThat(Long.parseLong(flags.replaceAll("\\D", ""), 8) & 02004000L).isEqualTo(02004000L);
    assertEchoes(accepted);
  }

  @Test
  void everyDescriptorOfFullMessagesIsTaken() throws Exception {
    netty.bind(path);
    Fd to = proxy.connect(path, SocketType.STREAM);
    Fd listener = proxy.listen("127.0.0.1");
    Set<Object> sent = new HashSet<>();
    for (int message = 0; message < 3; message++) {
      Accepted[] accepted = new Accepted[Linux.SCM_MAX_FD];
      for (int i = 0; i < accepted.length; i++) {
        accepted[i] = proxy.client(listener, "127.0.0.1");
        sent.add(accepted[i].client().getLocalSocketAddress());
      }
      proxy.send(to, Arrays.stream(accepted).map(Accepted::fd).toArray(Fd[]::new));
      for (Accepted each : accepted) {
        proxy.close(each.fd());
      }
    }
    while (!sent.isEmpty()) {
      assertThat(sent.remove(netty.child().remoteAddress())).isTrue();
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"STREAM", "DATAGRAM"})
  void junkIsClosedAndTheConnectionBehindItArrives(SocketType type) throws Exception {
    HandOffServerChannel server = netty.with(receiver -> receiver.type(type)).bind(path);
    Fd to = connected(server, type);
    Fd event = proxy.own(proxy.kernel.eventfd(0, Linux.EFD_CLOEXEC));
    Fd listener = proxy.listen("127.0.0.1");
    Map<Integer, String> before = OpenDescriptors.now();
    for (int i = 0; i < 30; i++) {
      proxy.send(to, event, listener, to);
      proxy.sendPlain(to, 1);
    }
    Accepted accepted = proxy.client();
    proxy.pass(to, accepted);
    Channel child = netty.child();
    assertEchoes(accepted);
    child.close().sync();
    accepted.client().close();
    assertThat(server.statistics().notTcp()).isEqualTo(90);
    awaitAsBefore(before);
  }

  @Test
  void clientsThatResetInTransitHarmNobody() throws Exception {
    HandOffServerChannel server = netty.bind(path);
    Fd to = connected(server, SocketType.STREAM);
    Fd listener = proxy.listen("127.0.0.1");
    Map<Integer, String> before = OpenDescriptors.now();
    for (int i = 0; i < 300; i++) {
      Accepted gone = proxy.client(listener, "127.0.0.1");
      gone.client().setSoLinger(true, 0);
      if (i % 2 == 0) {
        gone.client().close();
        proxy.pass(to, gone);
      } else {
        proxy.pass(to, gone);
        gone.client().close();
      }
    }
    Accepted there = proxy.client();
    proxy.pass(to, there);
    assertEchoes(there);
    there.client().close();
    // Those that got as far as becoming children are closed by Netty.
    awaitAsBefore(before);
  }

  @Test
  void withoutAutoReadNothingIsReceivedUntilItIsAskedFor() throws Exception {
    netty.bootstrap.option(ChannelOption.AUTO_READ, false);
    HandOffServerChannel server = netty.bind(path);
    Fd to = proxy.connect(path, SocketType.STREAM);
    Fd[] batch = new Fd[5];
    for (int i = 0; i < batch.length; i++) {
      batch[i] = proxy.client().fd();
    }
    proxy.send(to, batch);
    proxy.send(to, proxy.client().fd());
    netty.settle();
    assertThat(server.statistics().unixConnections()).isZero();

    for (int i = 1; i <= 6; i++) {
      server.read();
      netty.child();
      netty.settle();
      assertThat(server.statistics().accepted()).isEqualTo(i);
      assertThat(netty.children).isEmpty();
    }
  }

  @Test
  void autoReadCanBeTurnedOffAndOn() throws Exception {
    HandOffServerChannel server = netty.bind(path);
    Fd to = proxy.connect(path, SocketType.STREAM);
    proxy.pass(to, proxy.client());
    netty.child();
    for (int i = 0; i < 3; i++) {
      server.config().setAutoRead(false);
      netty.settle();
      Accepted accepted = proxy.client();
      proxy.pass(to, accepted);
      netty.settle();
      assertThat(netty.children).isEmpty();
      server.config().setAutoRead(true);
      netty.child();
      assertEchoes(accepted);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"STREAM", "DATAGRAM"})
  void closeLeavesNothingOpenAndNothingInTheDirectory(SocketType type) throws Exception {
    netty.with(receiver -> receiver.type(type));
    netty.bind(path).close().sync();
    Map<Integer, String> before = OpenDescriptors.now();
    Accepted received = proxy.client();
    Accepted queued = proxy.client();
    HandOffServerChannel server = netty.bind(path);
    Fd to = proxy.connect(path, type);
    proxy.pass(to, received);
    Channel child = netty.child();
    server.config().setAutoRead(false);
    netty.settle();
    proxy.pass(to, queued);
    server.close().sync();
    server.closeFuture().sync();

    assertThat(server.isOpen()).isFalse();
    assertThat(dir).isEmptyDirectory();
    // The children are the application's, and what was queued has become one.
    Channel last = netty.child();
    assertEchoes(queued);
    assertEchoes(received);
    child.close().sync();
    last.close().sync();
    proxy.close(to);
    received.client().close();
    queued.client().close();
    assertThat(OpenDescriptors.now()).isEqualTo(before);
  }

  @Test
  void shuttingTheEventLoopDownClosesIt() throws Exception {
    HandOffServerChannel server = netty.bind(path);
    proxy.connect(path, SocketType.STREAM);
    netty.close();
    server.closeFuture().sync();
    assertThat(dir).isEmptyDirectory();
  }

  @Test
  void theSocketFileHasTheModeAskedFor() throws Exception {
    netty.with(receiver -> receiver.mode("rw-rw-rw-")).bind(path);
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path)))
        .isEqualTo("rw-rw-rw-");
    assertThat(netty.with(receiver -> receiver).bind(dir.resolve("other.sock")).path())
        .isEqualTo(dir.resolve("other.sock"));
    assertThat(
            PosixFilePermissions.toString(Files.getPosixFilePermissions(dir.resolve("other.sock"))))
        .isEqualTo("rw-rw----");
  }

  @Test
  @Tag("processes")
  void aUserWhoIsNotAllowedHandsNothingOver() throws Exception {
    Loud.assume(
        Python.isThere() && proxy.kernel.geteuid() == 0,
        "python3 and root are needed to be another user");
    Files.setPosixFilePermissions(dir, PosixFilePermissions.fromString("rwxrwxrwx"));
    HandOffServerChannel server =
        netty.with(receiver -> receiver.type(SocketType.STREAM).mode("rw-rw-rw-")).bind(path);
    String sender =
        """
        import os, socket, sys
        listener = socket.create_server(("127.0.0.1", 0))
        client = socket.create_connection(listener.getsockname())
        accepted = listener.accept()[0]
        unix = socket.socket(socket.AF_UNIX)
        os.setuid(65534)
        unix.connect(sys.argv[1])
        try:
            socket.send_fds(unix, [b"P"], [accepted.fileno()])
        except BrokenPipeError:
            pass
        accepted.close()
        print(client.recv(1) == b"")
        """;
    try (Child child = new Child("python3", "-c", sender, path.toString())) {
      assertThat(child.output()).isEqualTo("True");
    }
    assertThat(server.statistics().refusedPeers()).isOne();
    assertThat(netty.children).isEmpty();
  }

  @Test
  void aPathThatIsInUseIsRefusedAndNothingIsLeft() throws Exception {
    netty.bind(path);
    Map<Integer, String> before = OpenDescriptors.now();
    assertThatThrownBy(() -> netty.bind(path)).isInstanceOf(IOException.class);
    assertThat(OpenDescriptors.now()).isEqualTo(before);
    Accepted accepted = proxy.client();
    proxy.once(path, accepted);
    assertEchoes(accepted);
  }

  @Test
  void aTcpAddressIsRefused() {
    assertThatThrownBy(() ->
            netty.bootstrap.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0)).sync())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("DomainSocketAddress");
  }

  @Test
  void anotherTransportIsRefused() throws Exception {
    EventLoopGroup nio = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
    try {
      assertThatThrownBy(() -> nio.next().register(new HandOffServerChannel()).sync())
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("incompatible");
    } finally {
      nio.shutdownGracefully(0, 10, java.util.concurrent.TimeUnit.SECONDS).sync();
    }
  }

  @Test
  void theBacklogIsAnOption() throws Exception {
    netty.bootstrap.option(ChannelOption.SO_BACKLOG, 7);
    HandOffServerChannel server = netty.bind(path);
    assertThat(server.config().getOption(ChannelOption.SO_BACKLOG)).isEqualTo(7);
    assertThat(server.config().getOptions()).containsEntry(ChannelOption.SO_BACKLOG, 7);
    assertThatThrownBy(() -> server.config().setBacklog(0))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  @Tag("processes")
  void atTheLimitOfDescriptorsNothingIsLost() throws Exception {
    List<String> command =
        new ArrayList<>(List.of("bash", "-c", "ulimit -n 128; exec \"$@\"", "-"));
    command.addAll(
        Child.java("--enable-native-access=ALL-UNNAMED", Limited.class.getName(), path.toString()));
    try (Child child = new Child(command)) {
      child.lineWith("bound");
      Fd to = proxy.connect(path, SocketType.STREAM);
      Fd listener = proxy.listen("127.0.0.1");
      List<Accepted> all = new ArrayList<>();
      for (int i = 0; i < 200; i++) {
        Accepted accepted = proxy.client(listener, "127.0.0.1");
        all.add(accepted);
        accepted.client().getOutputStream().write('x');
        proxy.pass(to, accepted);
      }
      child.lineWith("paused");
      for (Accepted accepted : all) {
        assertThat(accepted.client().getInputStream().read()).isEqualTo('x');
        accepted.client().close();
      }
    }
  }
}
