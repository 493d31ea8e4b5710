package dev.peekpass.receiver;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.receiver.TestProxy.Accepted;
import java.io.IOException;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class ReceiverTest {
  @TempDir Path dir;
  private final TestProxy proxy = new TestProxy();
  private Path path;

  @BeforeEach
  void choosePath() {
    path = dir.resolve("app.sock");
  }

  @AfterEach
  void closeProxy() throws IOException {
    proxy.close();
  }

  private Receiver open(SocketType type) throws IOException {
    return Receiver.builder(path).type(type).open();
  }

  private static String read(SocketChannel connection, int bytes) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(bytes);
    while (buffer.hasRemaining() && connection.read(buffer) >= 0) {
      // A blocking read that gives nothing would loop here until the test's time is up.
    }
    return new String(buffer.array(), 0, buffer.position(), US_ASCII);
  }

  private static void say(Socket client, String text) throws IOException {
    client.getOutputStream().write(text.getBytes(US_ASCII));
  }

  private static void assertConnected(Socket client, SocketChannel connection) throws IOException {
    assertThat(connection.getRemoteAddress()).isEqualTo(client.getLocalSocketAddress());
    assertThat(connection.getLocalAddress()).isEqualTo(client.getRemoteSocketAddress());
    say(client, "to the backend");
    assertThat(read(connection, 14)).isEqualTo("to the backend");
    connection.write(ByteBuffer.wrap("to the client".getBytes(US_ASCII)));
    assertThat(new String(client.getInputStream().readNBytes(13), US_ASCII))
        .isEqualTo("to the client");
  }

  /** Whether the other side of a connection is closed. */
  private static void assertEnded(Socket client) throws IOException {
    try {
      assertThat(client.getInputStream().read()).isEqualTo(-1);
    } catch (java.net.SocketException reset) {
      assertThat(reset).hasMessageContaining("reset");
    }
  }

  @ParameterizedTest
  @EnumSource(value = SocketType.class, names = "ACKNOWLEDGED", mode = EnumSource.Mode.EXCLUDE)
  void aConnectionArrivesWithItsAddressesAndNothingRead(SocketType type) throws Exception {
    try (Receiver receiver = open(type)) {
      Accepted accepted = proxy.client();
      say(accepted.client(), "peeked");
      Fd to = proxy.connect(path, type);
      proxy.pass(to, accepted);
      try (SocketChannel connection = receiver.accept()) {
        assertThat(read(connection, 6)).isEqualTo("peeked");
        assertConnected(accepted.client(), connection);
      }
      assertEnded(accepted.client());
    }
  }

  @Test
  void aUnixConnectionForEachConnectionWorksLikeOneForAll() throws Exception {
    try (Receiver receiver = open(SocketType.STREAM)) {
      for (int i = 0; i < 3; i++) {
        Accepted accepted = proxy.client();
        proxy.once(path, accepted);
        try (SocketChannel connection = receiver.accept()) {
          assertConnected(accepted.client(), connection);
        }
      }
    }
  }

  @Test
  void connectionsOfOneUnixConnectionKeepTheirOrder() throws Exception {
    try (Receiver receiver = open(SocketType.STREAM)) {
      Fd to = proxy.connect(path, SocketType.STREAM);
      List<Accepted> sent = new ArrayList<>();
      for (int i = 0; i < 50; i++) {
        sent.add(proxy.client());
        proxy.pass(to, sent.getLast());
      }
      for (Accepted accepted : sent) {
        try (SocketChannel connection = receiver.accept()) {
          assertThat(connection.getRemoteAddress())
              .isEqualTo(accepted.client().getLocalSocketAddress());
        }
      }
      assertThat(receiver.statistics().unixConnections()).isOne();
    }
  }

  @ParameterizedTest
  @EnumSource(value = SocketType.class, names = "ACKNOWLEDGED", mode = EnumSource.Mode.EXCLUDE)
  void everyDescriptorOfAFullMessageIsTaken(SocketType type) throws Exception {
    try (Receiver receiver = open(type)) {
      Fd listener = proxy.listen("127.0.0.1");
      Map<Object, Accepted> sent = new HashMap<>();
      Fd[] batch = new Fd[Linux.SCM_MAX_FD];
      for (int i = 0; i < batch.length; i++) {
        Accepted accepted = proxy.client(listener, "127.0.0.1");
        sent.put(accepted.client().getLocalSocketAddress(), accepted);
        batch[i] = accepted.fd();
      }
      proxy.send(proxy.connect(path, type), batch);
      for (int i = 0; i < batch.length; i++) {
        try (SocketChannel connection = receiver.accept()) {
          assertThat(sent.remove(connection.getRemoteAddress())).isNotNull();
        }
      }
      assertThat(sent).isEmpty();
    }
  }

  @Test
  void bytesBesideTheDescriptorsDoNotMatter() throws Exception {
    try (Receiver receiver = open(SocketType.STREAM)) {
      Fd to = proxy.connect(path, SocketType.STREAM);
      List<Accepted> sent = List.of(proxy.client(), proxy.client(), proxy.client());
      proxy.sendPlain(to, 1000);
      proxy.sendBytes(to, 64, sent.get(0).fd());
      proxy.sendPlain(to, 64);
      proxy.sendBytes(to, 3, sent.get(1).fd());
      proxy.sendPlain(to, 1);
      proxy.send(to, sent.get(2).fd());
      for (Accepted accepted : sent) {
        try (SocketChannel connection = receiver.accept()) {
          assertConnected(accepted.client(), connection);
        }
      }
    }
  }

  @Test
  void descriptorsBehindManyBytesArriveOnce() throws Exception {
    try (Receiver receiver = open(SocketType.STREAM)) {
      Fd to = proxy.connect(path, SocketType.STREAM);
      Accepted first = proxy.client();
      Accepted second = proxy.client();
      // Each fills the receiver's buffer to the last byte; the kernel shows more than that.
      proxy.sendPlain(to, 128);
      proxy.sendBytes(to, 64, first.fd());
      proxy.send(to, second.fd());
      try (SocketChannel one = receiver.accept();
          SocketChannel two = receiver.accept()) {
        assertConnected(first.client(), one);
        assertConnected(second.client(), two);
      }
      assertThat(receiver.statistics().withoutDescriptor()).isEqualTo(2);
    }
  }

  @ParameterizedTest
  @EnumSource(value = SocketType.class, names = "ACKNOWLEDGED", mode = EnumSource.Mode.EXCLUDE)
  void junkIsClosedAndTheConnectionBehindItArrives(SocketType type) throws Exception {
    try (Receiver receiver = open(type)) {
      Fd to = proxy.connect(path, type);
      Fd[] none = {};
      int rounds = 0;
      try (java.io.FileInputStream file = new java.io.FileInputStream("/dev/null")) {
        Fd udp = proxy.own(proxy.kernel.socket(Linux.AF_INET, Linux.SOCK_DGRAM, 0));
        Fd unix = proxy.own(proxy.kernel.socket(Linux.AF_UNIX, Linux.SOCK_STREAM, 0));
        Fd event = proxy.own(proxy.kernel.eventfd(0, Linux.EFD_CLOEXEC));
        Fd epoll = proxy.own(proxy.kernel.epollCreate1(Linux.EPOLL_CLOEXEC));
        Fd unconnected = proxy.own(proxy.kernel.socket(Linux.AF_INET, Linux.SOCK_STREAM, 0));
        Fd listener = proxy.listen("127.0.0.1");
        assertThat(file.read()).isEqualTo(-1);
        // A datagram queue of ten takes no more without a reader, so it is read in between.
        Fd[][] junk = {{udp}, {unix}, {event, epoll}, {unconnected}, {listener, udp, to}, none};
        for (Fd[] descriptors : junk) {
          proxy.send(to, descriptors);
          Accepted accepted = proxy.client();
          proxy.pass(to, accepted);
          try (SocketChannel connection = receiver.accept()) {
            assertConnected(accepted.client(), connection);
          }
          rounds++;
        }
        if (type == SocketType.DATAGRAM) {
          proxy.sendPlain(to, 0);
          proxy.sendPlain(to, 4096);
        }
        Accepted last = proxy.client();
        proxy.pass(to, last);
        try (SocketChannel connection = receiver.accept()) {
          assertConnected(last.client(), connection);
        }
      }
      assertThat(rounds).isEqualTo(6);
      Statistics seen = receiver.statistics();
      assertThat(seen.accepted()).isEqualTo(7);
      // All but the unconnected TCP socket, which looks like one whose client has gone.
      assertThat(seen.notTcp()).isEqualTo(7);
      assertThat(seen.gone()).isOne();
      // In a stream a plain byte merges into the message behind it.
      assertThat(seen.withoutDescriptor()).isEqualTo(type == SocketType.DATAGRAM ? 3 : 0);
      assertThat(seen.truncated()).isZero();
    }
  }

  @Test
  void aFloodOfUselessDescriptorsLeavesNothingOpen() throws Exception {
    try (Receiver receiver = open(SocketType.STREAM)) {
      Fd to = proxy.connect(path, SocketType.STREAM);
      Fd event = proxy.own(proxy.kernel.eventfd(0, Linux.EFD_CLOEXEC));
      Fd[] flood = new Fd[Linux.SCM_MAX_FD];
      Arrays.fill(flood, event);
      Accepted accepted = proxy.client();
      Map<Integer, String> before = OpenDescriptors.now();
      for (int i = 0; i < 20; i++) {
        proxy.send(to, flood);
      }
      proxy.send(to, accepted.fd());
      receiver.accept().close();
      assertThat(receiver.statistics().notTcp()).isEqualTo(20L * Linux.SCM_MAX_FD);
      // The receiver's end of `to` is new.
      assertThat(OpenDescriptors.now()).hasSize(before.size() + 1);
    }
  }

  @Test
  void aClientThatHasGoneIsPassedOver() throws Exception {
    try (Receiver receiver = open(SocketType.STREAM)) {
      Accepted gone = proxy.client();
      gone.client().setSoLinger(true, 0);
      gone.client().close();
      Accepted there = proxy.client();
      Fd to = proxy.connect(path, SocketType.STREAM);
      proxy.pass(to, gone);
      proxy.pass(to, there);
      try (SocketChannel connection = receiver.accept()) {
        assertConnected(there.client(), connection);
      }
      assertThat(receiver.statistics().gone()).isOne();
    }
  }

  @Test
  void peersThatOnlyConnectDoNoHarm() throws Exception {
    try (Receiver receiver = open(SocketType.STREAM)) {
      for (int i = 0; i < 100; i++) {
        proxy.close(proxy.connect(path, SocketType.STREAM));
      }
      proxy.connect(path, SocketType.STREAM);
      Accepted accepted = proxy.client();
      proxy.once(path, accepted);
      try (SocketChannel connection = receiver.accept()) {
        assertConnected(accepted.client(), connection);
      }
    }
  }

  @Test
  void unixConnectionsBeyondTheLimitWaitUntilOneEnds() throws Exception {
    try (Receiver receiver =
        Receiver.builder(path).type(SocketType.STREAM).maxUnixConnections(2).open()) {
      Fd first = proxy.connect(path, SocketType.STREAM);
      Fd second = proxy.connect(path, SocketType.STREAM);
      Accepted early = proxy.client();
      Accepted late = proxy.client();
      proxy.once(path, late);
      proxy.pass(second, early);
      try (SocketChannel connection = receiver.accept()) {
        assertConnected(early.client(), connection);
      }
      assertThat(receiver.statistics().openUnixConnections()).isEqualTo(2);
      proxy.close(first);
      try (SocketChannel connection = receiver.accept()) {
        assertConnected(late.client(), connection);
      }
      assertThat(receiver.statistics().unixConnections()).isEqualTo(3);
    }
  }

  @Test
  void moreUnixConnectionsThanTheLimitInTurnAllGetThrough() throws Exception {
    try (Receiver receiver =
        Receiver.builder(path).type(SocketType.STREAM).maxUnixConnections(3).open()) {
      List<Accepted> sent = new ArrayList<>();
      for (int i = 0; i < 60; i++) {
        sent.add(proxy.client());
        proxy.once(path, sent.getLast());
      }
      for (Accepted accepted : sent) {
        try (SocketChannel connection = receiver.accept()) {
          assertThat(connection.getRemoteAddress())
              .isEqualTo(accepted.client().getLocalSocketAddress());
        }
      }
    }
  }

  @Test
  void closeEndsAnAcceptThatWaits() throws Exception {
    Receiver receiver = open(SocketType.STREAM);
    FutureTask<SocketChannel> waiting = new FutureTask<>(receiver::accept);
    Thread thread = Thread.ofPlatform().start(waiting);
    while (thread.getState() != Thread.State.RUNNABLE) {
      Thread.onSpinWait();
    }
    // Whether the thread is before, in or behind epoll_wait now: it has to end.
    receiver.close();
    assertThatThrownBy(waiting::get)
        .isInstanceOf(ExecutionException.class)
        .hasCauseInstanceOf(ClosedChannelException.class);
    assertThat(receiver.isOpen()).isFalse();
    assertThatThrownBy(receiver::accept).isExactlyInstanceOf(ClosedChannelException.class);
  }

  @Test
  void closeEndsAllAcceptsOfAllThreads() throws Exception {
    Receiver receiver = open(SocketType.DATAGRAM);
    List<FutureTask<SocketChannel>> waiting = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      waiting.add(new FutureTask<>(receiver::accept));
      Thread.ofPlatform().start(waiting.getLast());
    }
    Accepted accepted = proxy.client();
    proxy.pass(proxy.connect(path, SocketType.DATAGRAM), accepted);
    while (waiting.stream().noneMatch(FutureTask::isDone)) {
      Thread.onSpinWait();
    }
    receiver.close();
    int got = 0;
    for (FutureTask<SocketChannel> each : waiting) {
      try (SocketChannel connection = each.get()) {
        assertConnected(accepted.client(), connection);
        got++;
      } catch (ExecutionException e) {
        // AsynchronousCloseException, or what it extends for a thread that had not come so far.
        assertThat(e).hasCauseInstanceOf(ClosedChannelException.class);
      }
    }
    assertThat(got).isOne();
  }

  @ParameterizedTest
  @EnumSource(value = SocketType.class, names = "ACKNOWLEDGED", mode = EnumSource.Mode.EXCLUDE)
  void closeLeavesNothingOpenAndNothingInTheDirectory(SocketType type) throws Exception {
    // Once before counting: the JDK opens some things for itself on first use.
    open(type).close();
    Accepted received = proxy.client();
    Accepted queued = proxy.client();
    Accepted alsoQueued = proxy.client();
    Map<Integer, String> before = OpenDescriptors.now();
    Receiver receiver = open(type);
    Fd to = proxy.connect(path, type);
    proxy.send(to, received.fd(), queued.fd());
    proxy.send(to, alsoQueued.fd());
    SocketChannel connection = receiver.accept();
    receiver.close();
    receiver.close();
    connection.close();
    proxy.close(to);
    assertThat(OpenDescriptors.now()).isEqualTo(before);
    assertThat(dir).isEmptyDirectory();
    // The proxy's copies are the last ones: closing them reaches the clients.
    for (Accepted each : List.of(received, queued, alsoQueued)) {
      proxy.close(each.fd());
      assertEnded(each.client());
    }
  }

  @Test
  void closeLeavesTheFileOfASuccessorAlone() throws Exception {
    Receiver old = open(SocketType.STREAM);
    Path aside = dir.resolve("aside");
    Files.move(path, aside);
    try (Receiver successor = open(SocketType.STREAM)) {
      old.close();
      Accepted accepted = proxy.client();
      proxy.once(path, accepted);
      try (SocketChannel connection = successor.accept()) {
        assertConnected(accepted.client(), connection);
      }
      assertThat(successor.localPath()).isEqualTo(path);
    }
  }

  @Test
  void serveHandlesEachConnectionAndClosesIt() throws Exception {
    Receiver receiver = open(SocketType.STREAM);
    Thread serving =
        Thread.ofPlatform()
            .start(() ->
                receiver.serve(connection -> {
                  if (read(connection, 4).equals("fail")) {
                    throw new IllegalStateException("on purpose");
                  }
                  connection.write(ByteBuffer.wrap("served".getBytes(US_ASCII)));
                }));
    Fd to = proxy.connect(path, SocketType.STREAM);
    for (String request : List.of("work", "fail", "work")) {
      Accepted accepted = proxy.client();
      proxy.pass(to, accepted);
      say(accepted.client(), request);
      String answer = new String(accepted.client().getInputStream().readAllBytes(), US_ASCII);
      assertThat(answer).isEqualTo(request.equals("work") ? "served" : "");
    }
    receiver.close();
    serving.join();
  }

  @ParameterizedTest
  @ValueSource(strings = {"eventfd", "socket", "bind", "listen", "epollCreate1", "epollCtl"})
  void aFailedOpenLeavesNothingBehind(String call) {
    Map<Integer, String> before = OpenDescriptors.now();
    Kernel broken = BrokenKernel.failing(proxy.kernel, call, Errno.EMFILE);
    assertThatThrownBy(() -> Receiver.builder(path).kernels(() -> broken).open())
        .isInstanceOf(SystemCallException.class)
        .hasMessageContaining("EMFILE");
    assertThat(OpenDescriptors.now()).isEqualTo(before);
    assertThat(dir).isEmptyDirectory();
  }

  @Test
  void settingsOutOfRangeAreRefused() {
    ReceiverBuilder builder = Receiver.builder(path);
    assertThatThrownBy(() -> builder.mode("0660")).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> builder.allowUid(-1)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> builder.backlog(0)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> builder.maxUnixConnections(0))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void nothingIsInheritedByChildProcesses() throws Exception {
    Accepted accepted = proxy.client();
    Map<Integer, String> before = OpenDescriptors.now();
    try (Receiver receiver = open(SocketType.STREAM)) {
      Fd to = proxy.connect(path, SocketType.STREAM);
      proxy.send(to, accepted.fd());
      try (SocketChannel connection = receiver.accept()) {
        assertThat(connection.isConnected()).isTrue();
        Map<Integer, String> received = OpenDescriptors.now();
        // By number and what it stands for: numbers are used again.
        received.entrySet().removeAll(before.entrySet());
        received.remove(to.number());
        // Listener, its UNIX connection, connection, eventfd, two epolls, and the spare ones.
        assertThat(received).hasSize(6 + SpareDescriptors.DESCRIPTORS);
        for (Integer number : received.keySet()) {
          String flags = Files.readAllLines(Path.of("/proc/self/fdinfo/" + number)).get(1);
          // O_CLOEXEC in octal, proc_pid_fdinfo(5).
          assertThat(Long.parseLong(flags.replaceAll("\\D", ""), 8) & 02000000L)
              .as("%s %s", number, received.get(number))
              .isNotZero();
        }
      }
    }
  }
}
