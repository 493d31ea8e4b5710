package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.Message;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.proxy.Tests.Running;
import dev.peekpass.proxy.status.BackendStatus;
import dev.peekpass.proxy.status.ChannelState;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.Outcome;
import dev.peekpass.wire.FromReceiver;
import dev.peekpass.wire.HandOff;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Receivers that let the proxy not in, on the real kernel: they cost a client few connects and
 * lines, the log names the remedy, and nobody's connection is lost to them.
 */
class NotLetInTest {
  private static final String REQUEST = "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";
  private static final long COUNTED_NANOS = 10_000_000_000L;
  private static final int MOST_CONNECTS = 300;
  private static final int MOST_LOG_BYTES = 50_000;

  /** What a receiver does with each UNIX connection. */
  enum Conduct {
    /** It closes it at once. */
    CLOSES,
    /** It shuts it down for reading and closes it. */
    SHUTS,
    /** It says hello and closes it. */
    SAYS_HELLO,
    /** It says hello, reads the proxy's, and closes it. */
    HEARS_HELLO,
    /** It says hello and closes it once something was offered. */
    SAYS_HELLO_AND_WAITS,
    /** It says why it does not let the proxy in, and closes it. */
    DENIES,
    /** It says hello, then that it does not let the proxy in, and closes it. */
    DENIES_LATE,
    /** It takes a message and closes it. */
    TAKES_ONE
  }

  /** Accepts each UNIX connection on a thread of its own, and ends it. */
  private static final class Closer implements AutoCloseable {
    final AtomicInteger connects = new AtomicInteger();
    private final Kernel kernel = LinuxKernel.open();
    private final Path path;
    private final Fd listener;
    private final Thread thread;
    private volatile boolean ends;
    private volatile Conduct conduct;

    Closer(Path path, int type, Conduct conduct) throws IOException {
      this.path = path;
      this.conduct = conduct;
      Files.deleteIfExists(path);
      listener = Fd.of(kernel.socket(Linux.AF_UNIX, type | Linux.SOCK_NONBLOCK, 0));
      SockAddr address = new SockAddr();
      address.unix(path.toString());
      assertThat(kernel.bind(listener, address)).isZero();
      assertThat(kernel.listen(listener, 128)).isZero();
      thread = Thread.ofPlatform().daemon().start(this::run);
    }

    private void run() {
      Kernel own = LinuxKernel.open();
      NativeBuffer out = new NativeBuffer(64);
      Message in = new Message(64, 16);
      while (!ends) {
        if (own.poll(listener, Linux.POLLIN, 50) == 0) {
          continue;
        }
        int r = own.accept4(listener, null, Linux.SOCK_CLOEXEC);
        if (r >= 0) {
          connects.incrementAndGet();
          end(own, Fd.of(r), out, in);
        }
      }
    }

    private void end(Kernel own, Fd channel, NativeBuffer out, Message in) {
      switch (conduct) {
        case CLOSES -> {}
        case SHUTS -> own.shutdown(channel, Linux.SHUT_RD);
        case SAYS_HELLO -> hello(own, channel, out);
        case HEARS_HELLO -> {
          hello(own, channel, out);
          receive(own, channel, in);
        }
        case SAYS_HELLO_AND_WAITS -> {
          hello(own, channel, out);
          receive(own, channel, in);
          own.poll(channel, Linux.POLLIN, 1000);
        }
        case DENIES -> deny(own, channel, out);
        case DENIES_LATE -> {
          hello(own, channel, out);
          deny(own, channel, out);
        }
        case TAKES_ONE -> receive(own, channel, in);
      }
      own.close(channel);
    }

    private static void receive(Kernel own, Fd channel, Message in) {
      if (own.recvmsg(channel, in, Linux.MSG_CMSG_CLOEXEC) > 0) {
        for (int i = 0; i < in.descriptorCount(); i++) {
          own.close(in.descriptor(i));
        }
      }
    }

    private static void hello(Kernel own, Fd channel, NativeBuffer out) {
      int length = FromReceiver.writeHello(out.bytes(), 16, false, 256);
      own.send(channel, out, 0, length, Linux.MSG_NOSIGNAL);
    }

    private static void deny(Kernel own, Fd channel, NativeBuffer out) {
      int length = FromReceiver.writeDeny(out.bytes(), HandOff.DENIED_USER, 4711);
      own.send(channel, out, 0, length, Linux.MSG_NOSIGNAL);
    }

    @Override
    public void close() throws IOException {
      ends = true;
      try {
        thread.join();
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
      kernel.close(listener);
      Files.deleteIfExists(path);
    }
  }

  @TempDir private Path dir;
  private final List<String> lines = Collections.synchronizedList(new ArrayList<>());

  @BeforeEach
  void listen() {
    ErrorLog.listen(lines::add);
  }

  @AfterEach
  void listenNoMore() {
    ErrorLog.listen(null);
  }

  private boolean logged(String... parts) {
    synchronized (lines) {
      return lines.stream()
          .anyMatch(line -> java.util.Arrays.stream(parts).allMatch(line::contains));
    }
  }

  private static String config(Path path, String method, String more) {
    return """
    listeners:
      - { bind: "127.0.0.1:0", peek-timeout: 10s }
    backends:
      shop: { handoff: "unix:%s", method: %s%s }
    routes:
      - { host: shop.example, backend: shop }
    """
        .formatted(path, method, more);
  }

  private static Socket request(Running running) throws IOException {
    Socket client = running.connect();
    client.setSoTimeout(20_000);
    client.getOutputStream().write(REQUEST.getBytes(StandardCharsets.ISO_8859_1));
    return client;
  }

  private static BackendStatus.Socket socket(Running running) {
    return running.proxy.status().backends().getFirst().sockets().getFirst();
  }

  private static final List<String> CASES =
      List.of(
          "acknowledged SEQPACKET CLOSES",
          "acknowledged SEQPACKET SHUTS",
          "acknowledged SEQPACKET SAYS_HELLO",
          "acknowledged SEQPACKET HEARS_HELLO",
          "acknowledged SEQPACKET SAYS_HELLO_AND_WAITS",
          "acknowledged SEQPACKET DENIES",
          "acknowledged SEQPACKET DENIES_LATE",
          "auto SEQPACKET CLOSES",
          "auto SEQPACKET SAYS_HELLO",
          "auto SEQPACKET DENIES",
          "auto STREAM CLOSES",
          "persistent STREAM CLOSES",
          "persistent STREAM SHUTS",
          "persistent STREAM TAKES_ONE",
          "once STREAM CLOSES",
          "once STREAM SHUTS");

  /** A receiver, a proxy beside it, and a client. */
  private final class Case implements AutoCloseable {
    final String name;
    final Path path;
    final Closer receiver;
    final Running running;
    final Socket client;

    Case(int index, String name) throws IOException {
      this.name = name;
      String[] words = name.split(" ", -1);
      path = dir.resolve("case-" + index);
      int type = words[1].equals("STREAM") ? Linux.SOCK_STREAM : Linux.SOCK_SEQPACKET;
      receiver = new Closer(path, type, Conduct.valueOf(words[2]));
      running = new Running(config(path, words[0], ", hand-off-timeout: 1m"));
      client = request(running);
    }

    int logBytes() {
      synchronized (lines) {
        // What stands before each line in a log: time, thread, level, logger.
        return lines.stream()
            .filter(line -> line.contains(path + " "))
            .mapToInt(line -> line.length() + 64)
            .sum();
      }
    }

    @Override
    public void close() throws IOException {
      client.close();
      running.close();
      receiver.close();
    }
  }

  @Test
  void oneClientCostsFewConnectsAndLines() throws Exception {
    List<Case> cases = new ArrayList<>();
    try {
      for (String name : CASES) {
        cases.add(new Case(cases.size(), name));
      }
      for (Case one : cases) {
        Tests.await(one.name + " connects", () -> one.receiver.connects.get() > 0);
      }
      long start = System.nanoTime();
      Tests.await(
          "the time has passed in which they are counted",
          () -> System.nanoTime() - start > COUNTED_NANOS);

      for (Case one : cases) {
        assertThat(one.receiver.connects.get()).as(one.name).isLessThanOrEqualTo(MOST_CONNECTS);
        assertThat(one.logBytes()).as(one.name).isLessThanOrEqualTo(MOST_LOG_BYTES);
      }
    } finally {
      for (Case one : cases) {
        one.close();
      }
    }
  }

  private Path path(String name) {
    return dir.resolve(name);
  }

  /** Before any client has come. */
  @ParameterizedTest
  @ValueSource(strings = {"acknowledged", "auto"})
  void whoIsNotLetInIsToldSoAtTheStart(String method) throws Exception {
    try (Closer receiver = new Closer(path("a"), Linux.SOCK_SEQPACKET, Conduct.DENIES);
        Running running = new Running(config(path("a"), method, ""))) {
      Tests.await("it says so", () -> socket(running).state() == ChannelState.REFUSED);

      assertThat(socket(running).reason()).isEqualTo("uid 4711 is not allowed");
      assertThat(running.proxy.status().backends().getFirst().state()).isEqualTo("down");
      assertThat(running.count(Counter.CHANNEL_REFUSED)).isEqualTo(1);
      assertThat(
              logged(
                  "WARN backend shop: unix:" + path("a") + " does not let this proxy in",
                  "uid 4711",
                  "--allow-uid 4711",
                  "+uid=4711",
                  "peer_uid=4711"))
          .isTrue();
      assertThat(receiver.connects.get()).isEqualTo(1);
    }
  }

  /** Before any client has come, and once. */
  @ParameterizedTest
  @ValueSource(strings = {"acknowledged", "auto", "persistent", "datagram"})
  void anAbsentReceiverIsToldOfAtTheStart(String method) throws Exception {
    try (Running running = new Running(config(path("a"), method, ""))) {
      Tests.await("it is down", () -> socket(running).state() == ChannelState.DOWN);

      assertThat(socket(running).reason()).isEqualTo("ENOENT");
      assertThat(lines).filteredOn(line -> line.contains("unix:" + path("a"))).hasSize(1);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "acknowledged, SEQPACKET, DENIES",
    "acknowledged, SEQPACKET, SAYS_HELLO_AND_WAITS",
    "auto, SEQPACKET, DENIES",
    "auto, STREAM, CLOSES",
    "persistent, STREAM, CLOSES",
  })
  void whatIsNotLetInGoesToTheBackup(String method, String type, Conduct conduct) throws Exception {
    int socketType = type.equals("STREAM") ? Linux.SOCK_STREAM : Linux.SOCK_SEQPACKET;
    String config =
        config(path("a"), method, ", backup: other, hand-off-timeout: 1m")
            .replace("routes:", "  other: { handoff: \"unix:%s\" }\nroutes:".formatted(path("b")));
    try (Closer receiver = new Closer(path("a"), socketType, conduct);
        TestReceiver other = TestReceiver.datagram(path("b"));
        Running running = new Running(config);
        Socket client = request(running)) {
      other.answer(other.take(), "from the backup");

      assertThat(client.getInputStream().readAllBytes()).asString().isEqualTo("from the backup");
      assertThat(receiver.connects.get()).isPositive();
      assertThat(running.count(Counter.BACKED_UP)).isEqualTo(1);
    }
  }

  /** As after a change of the receiver's list of users: none of its clients was lost. */
  @ParameterizedTest
  @ValueSource(strings = {"persistent", "auto"})
  void whatAPlainReceiverClosesUnreadIsItsSuccessors(String method) throws Exception {
    try (Running running = new Running(config(path("a"), method, ", hand-off-timeout: 1m"))) {
      List<Socket> clients = new ArrayList<>();
      try (Closer receiver = new Closer(path("a"), Linux.SOCK_STREAM, Conduct.CLOSES)) {
        for (int i = 0; i < 3; i++) {
          clients.add(request(running));
        }
        Tests.await("it is refused", () -> socket(running).state() == ChannelState.REFUSED);
        assertThat(receiver.connects.get()).isPositive();
        assertThat(running.count(Outcome.PASSED)).isZero();
        assertThat(logged("unix:" + path("a") + " does not let this proxy in", "peer_uid="))
            .isTrue();
      }
      try (TestReceiver receiver = TestReceiver.stream(path("a"))) {
        for (Socket client : clients) {
          Fd fd = receiver.take();
          assertThat(receiver.read(fd)).isEqualTo(REQUEST);
          receiver.answer(fd, "served");
          assertThat(client.getInputStream().readAllBytes()).asString().isEqualTo("served");
          client.close();
        }
        Tests.await("all are passed", () -> running.count(Outcome.PASSED) == clients.size());
        assertThat(socket(running).state()).isEqualTo(ChannelState.OPEN);
      }
    }
  }

  /** A receiver that hangs holds the first message up for a second, and has it then. */
  @Test
  void whatAPlainReceiverDoesNotReceiveIsItsOwnAfterASecond() throws Exception {
    try (TestReceiver receiver = TestReceiver.stream(path("a"));
        Running running = new Running(config(path("a"), "persistent", ""));
        Socket first = request(running);
        Socket second = request(running)) {
      Tests.await("both are sent", () -> running.count(Outcome.PASSED) == 2);
      receiver.answer(receiver.take(), "one");
      receiver.answer(receiver.take(), "two");
      assertThat(first.getInputStream().readAllBytes()).isNotEmpty();
      assertThat(second.getInputStream().readAllBytes()).isNotEmpty();
    }
  }
}
