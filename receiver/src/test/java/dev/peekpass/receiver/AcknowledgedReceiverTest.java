package dev.peekpass.receiver;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Linux;
import dev.peekpass.receiver.TestProxy.Accepted;
import dev.peekpass.wire.FromReceiver;
import dev.peekpass.wire.Metadata;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The acknowledging receiver against proxies that behave and proxies that do not. */
class AcknowledgedReceiverTest {
  @TempDir Path dir;
  private final TestProxy proxy = new TestProxy();
  private final BlockingQueue<AdoptedConnection> accepted = new LinkedBlockingQueue<>();
  private Path path;
  private Receiver receiver;
  private @Nullable Thread accepting;

  @BeforeEach
  void open() throws Exception {
    path = dir.resolve("app.sock");
    receiver = Receiver.builder(path).type(SocketType.ACKNOWLEDGED).credits(32).open();
  }

  @AfterEach
  void close() throws Exception {
    receiver.close();
    Thread taking = accepting;
    if (taking != null) {
      taking.join();
    }
    for (AdoptedConnection left : accepted) {
      left.channel().close();
    }
    proxy.close();
  }

  /** Takes all that comes, in a thread of its own. */
  private void acceptAll() {
    accepting =
        Thread.ofPlatform()
            .start(() -> {
              while (true) {
                try {
                  accepted.add(receiver.receive());
                } catch (ClosedChannelException e) {
                  return;
                }
              }
            });
  }

  private AdoptedConnection next() throws InterruptedException {
    AdoptedConnection handedOff = accepted.poll(60, TimeUnit.SECONDS);
    assertThat(handedOff).isNotNull();
    return handedOff;
  }

  private TestOffers connect(boolean page) {
    TestOffers offers = new TestOffers(proxy, path);
    assertThat(offers.read()).isEqualTo(FromReceiver.Kind.HELLO);
    return offers.greet(page);
  }

  private static void assertConnected(Socket client, SocketChannel connection) throws Exception {
    client.getOutputStream().write("ping".getBytes(US_ASCII));
    ByteBuffer buffer = ByteBuffer.allocate(4);
    while (buffer.hasRemaining() && connection.read(buffer) >= 0) {}
    assertThat(buffer.array()).isEqualTo("ping".getBytes(US_ASCII));
  }

  private Fd[] clients(int count, List<Accepted> clients) throws Exception {
    Fd[] descriptors = new Fd[count];
    for (int i = 0; i < count; i++) {
      Accepted client = proxy.client();
      clients.add(client);
      descriptors[i] = client.fd();
    }
    return descriptors;
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aConnectionComesWithMetadataAndIsAcknowledged(boolean page) throws Exception {
    acceptAll();
    TestOffers offers = connect(page);
    assertThat(offers.view.version()).isEqualTo(1);
    assertThat(offers.view.claims()).isTrue();
    assertThat(offers.view.granted()).isEqualTo(32);
    for (int i = 1; i <= 3; i++) {
      Accepted client = proxy.client();
      offers.offer(client.fd());
      AdoptedConnection handedOff = next();
      assertThat(handedOff.metadata())
          .isEqualTo(new Metadata("", 1, "", "shop.example", List.of(), null, null, false));
      assertThat(offers.read()).isEqualTo(FromReceiver.Kind.ACK);
      assertThat(offers.view.settled()).isEqualTo(i);
      assertThat(offers.view.granted()).isEqualTo(i + 32);
      assertThat(offers.view.draining()).isFalse();
      assertConnected(client.client(), handedOff.channel());
      handedOff.channel().close();
      // What it could not do to a connection that it has acknowledged.
      assertThat(page && offers.revoke(i - 1)).isFalse();
      proxy.close(client.fd());
    }
    offers.close();
    assertThat(receiver.statistics().accepted()).isEqualTo(3);
  }

  @Test
  void loadIsToldWithTheNextAck() throws Exception {
    receiver.load(700);
    acceptAll();
    TestOffers offers = connect(true);
    offers.offer(proxy.client().fd());
    assertThat(offers.read()).isEqualTo(FromReceiver.Kind.ACK);
    assertThat(offers.view.load()).isEqualTo(700);
    assertThatThrownBy(() -> receiver.load(1001)).isInstanceOf(IllegalArgumentException.class);
    offers.close();
  }

  @Test
  void whatWasTakenBackIsClosedAndNeverServed() throws Exception {
    // Nobody accepts, so all of it waits in the socket.
    TestOffers offers = new TestOffers(proxy, path);
    List<Accepted> clients = new ArrayList<>();
    Fd[] descriptors = clients(4, clients);
    acceptAll();
    assertThat(offers.read()).isEqualTo(FromReceiver.Kind.HELLO);
    offers.greet(true);
    // Their words do not say that they are offered: the receiver cannot be quicker than that.
    offers.offer(0, 4, descriptors);
    offers.next = 4;
    while (offers.read() != FromReceiver.Kind.ACK || offers.view.settled() < 4) {}
    assertThat(accepted).isEmpty();
    assertThat(receiver.statistics().takenBack()).isEqualTo(4);
    // They are as they were: another may serve them.
    for (Accepted client : clients) {
      client.client().getOutputStream().write(1);
      assertThat(proxy.kernel.recv(client.fd(), new dev.peekpass.linux.NativeBuffer(8), 0, 8, 0))
          .isOne();
    }
    offers.offer(proxy.client().fd());
    next().channel().close();
    offers.close();
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void whatADeadProxyHadSentIsServedAsEver(boolean page) throws Exception {
    TestOffers offers = new TestOffers(proxy, path);
    List<Accepted> clients = new ArrayList<>();
    Fd[] descriptors = clients(10, clients);
    acceptAll();
    assertThat(offers.read()).isEqualTo(FromReceiver.Kind.HELLO);
    offers.greet(page);
    for (Fd descriptor : descriptors) {
      offers.offer(descriptor);
      proxy.close(descriptor);
    }
    // Its acknowledgements were never read, which the receiver feels as ECONNRESET.
    offers.close();
    for (Accepted client : clients) {
      AdoptedConnection handedOff = next();
      assertConnected(client.client(), handedOff.channel());
      handedOff.channel().close();
    }
  }

  @ParameterizedTest
  @CsvSource(
      nullValues = "-",
      value = {
        // The next number is 0, and 32 are granted.
        "offer 1 1 1",
        "offer 0 2 1",
        "offer 0 1 2",
        "offer 0 1 0",
        "offer 0 33 33",
        "bytes 12",
        "bytes 1201000000000000ffffffffffffffff0000",
        "bytes 11010000000000000000000000000000"
      })
  void aProxyThatBreaksTheProtocolLosesItsChannelAndOthersDoNot(String what) throws Exception {
    acceptAll();
    TestOffers offers = connect(true);
    List<Accepted> clients = new ArrayList<>();
    String[] words = what.split(" ", -1);
    if (words[0].equals("offer")) {
      int descriptors = Integer.parseInt(words[3]);
      offers.offer(
          Long.parseLong(words[1]), Integer.parseInt(words[2]), clients(descriptors, clients));
    } else {
      offers.sendBytes(HexFormat.of().parseHex(words[1]), clients(1, clients));
    }
    assertThat(offers.isEnded()).isTrue();
    assertThat(receiver.statistics().refusedChannels()).isOne();
    assertThat(accepted).isEmpty();
    // None of what it sent is left open here: closing the sender's copy ends the connection.
    for (Accepted client : clients) {
      proxy.close(client.fd());
      assertThat(client.client().getInputStream().read()).isEqualTo(-1);
    }
    TestOffers others = connect(true);
    others.offer(proxy.client().fd());
    next().channel().close();
    others.close();
    offers.close();
  }

  @Test
  void aPacketWithoutAByteLeavesNothingOpen() throws Exception {
    acceptAll();
    TestOffers offers = connect(true);
    List<Accepted> clients = new ArrayList<>();
    offers.sendBytes(new byte[0], clients(2, clients));
    assertThat(offers.isEnded()).isTrue();
    assertThat(receiver.statistics().refusedChannels()).isOne();
    for (Accepted client : clients) {
      proxy.close(client.fd());
      assertThat(client.client().getInputStream().read()).isEqualTo(-1);
    }
    offers.close();
  }

  @Test
  void anOfferBeforeTheHelloIsRefused() throws Exception {
    acceptAll();
    TestOffers offers = new TestOffers(proxy, path);
    assertThat(offers.read()).isEqualTo(FromReceiver.Kind.HELLO);
    offers.offer(0, 1, proxy.client().fd());
    assertThat(offers.isEnded()).isTrue();
  }

  @Test
  void anotherVersionIsRefused() throws Exception {
    acceptAll();
    TestOffers offers = new TestOffers(proxy, path);
    assertThat(offers.read()).isEqualTo(FromReceiver.Kind.HELLO);
    offers.hello(2, 0);
    assertThat(offers.isEnded()).isTrue();
    assertThat(receiver.statistics().refusedChannels()).isOne();
  }

  @ParameterizedTest
  @ValueSource(strings = {"unsealed", "short", "no memory", "read only", "none", "two"})
  void aPageThatCouldEndTheProcessIsRefused(String how) throws Exception {
    acceptAll();
    TestOffers offers = new TestOffers(proxy, path);
    assertThat(offers.read()).isEqualTo(FromReceiver.Kind.HELLO);
    int bytes = TestOffers.WORDS * Long.BYTES;
    int words = TestOffers.WORDS;
    switch (how) {
      case "unsealed" -> offers.hello(1, words, offers.memory(bytes, 0));
      case "short" -> offers.hello(1, words, offers.memory(bytes - 8, TestOffers.SEALS));
      case "no memory" -> offers.hello(1, words, proxy.own(proxy.kernel.eventfd(0, 0)));
      case "read only" -> {
        int writeSeal = 0x8;
        offers.hello(1, words, offers.memory(bytes, TestOffers.SEALS | writeSeal));
      }
      case "none" -> offers.hello(1, words);
      default -> {
        Fd memory = offers.memory(bytes, TestOffers.SEALS);
        offers.hello(1, words, memory, memory);
      }
    }
    assertThat(offers.isEnded()).isTrue();
    assertThat(receiver.statistics().refusedChannels()).isOne();
  }

  @Test
  void metadataThatIsGarbageDoesTheConnectionNoHarm() throws Exception {
    acceptAll();
    TestOffers offers = connect(false);
    offers.sendBytes(
        HexFormat.of().parseHex("1201000000000000" + "0000000000000000" + "0600" + "04ffaabbccdd"),
        proxy.client().fd());
    assertThat(next().metadata()).isEqualTo(Metadata.NONE);
    byte[] unknown = new byte[100];
    Arrays.fill(unknown, (byte) 0x7f);
    offers.sendBytes(unknown, proxy.client().fd());
    offers.next = 1;
    offers.offer(proxy.client().fd());
    next().channel().close();
    offers.close();
  }

  @ParameterizedTest
  @ValueSource(strings = {"ACKNOWLEDGED", "STREAM", "DATAGRAM"})
  void drainingGivesAllThatWasSentAndThenEnds(SocketType type) throws Exception {
    Path other = dir.resolve("other.sock");
    int count = 8;
    try (Receiver draining = Receiver.builder(other).type(type).open()) {
      List<Accepted> clients = new ArrayList<>();
      Fd[] descriptors = clients(count, clients);
      if (type == SocketType.ACKNOWLEDGED) {
        Fd probe = proxy.client().fd();
        TestOffers offers = new TestOffers(proxy, other);
        Thread first = Thread.ofPlatform().start(() -> acceptOne(draining));
        assertThat(offers.read()).isEqualTo(FromReceiver.Kind.HELLO);
        offers.greet(true);
        offers.offer(probe);
        first.join();
        for (Fd descriptor : descriptors) {
          offers.offer(descriptor);
        }
        draining.drain();
        acceptAllOf(draining, count);
        while (offers.read() != FromReceiver.Kind.ACK
            || !offers.view.draining()
            || offers.view.settled() < count + 1) {}
        assertThat(offers.isEnded()).isTrue();
        offers.close();
      } else {
        Fd to = proxy.connect(other, type);
        // The second stream connection is still in the backlog.
        Fd alsoTo = type == SocketType.STREAM ? proxy.connect(other, type) : to;
        for (int i = 0; i < count; i++) {
          proxy.send(i % 2 == 0 ? to : alsoTo, descriptors[i]);
        }
        draining.drain();
        acceptAllOf(draining, count);
        assertThat(
                proxy.kernel.send(
                    to, new dev.peekpass.linux.NativeBuffer(1), 0, 1, Linux.MSG_NOSIGNAL))
            .isNegative();
      }
      assertThat(Files.exists(other)).isFalse();
      assertThatThrownBy(draining::accept).isInstanceOf(ClosedChannelException.class);
      draining.drain();
      // Its successor has the path already.
      Receiver.builder(other).type(type).open().close();
    }
  }

  private static void acceptOne(Receiver from) {
    try {
      from.accept().close();
    } catch (java.io.IOException e) {
      throw new AssertionError(e);
    }
  }

  private static void acceptAllOf(Receiver draining, int count) throws Exception {
    for (int i = 0; i < count; i++) {
      draining.accept().close();
    }
    assertThatThrownBy(draining::accept).isInstanceOf(ClosedChannelException.class);
  }

  @Test
  void drainingWakesWhoeverWaits() throws Exception {
    acceptAll();
    receiver.drain();
    Thread taking = Objects.requireNonNull(accepting);
    taking.join(60_000);
    assertThat(taking.isAlive()).isFalse();
  }

  @Test
  void closingGivesBackWhatWasNotClaimed() throws Exception {
    TestOffers offers;
    try (Receiver other = Receiver.builder(dir.resolve("o")).type(SocketType.ACKNOWLEDGED).open()) {
      offers = new TestOffers(proxy, dir.resolve("o"));
      Thread first = Thread.ofPlatform().start(() -> acceptOne(other));
      assertThat(offers.read()).isEqualTo(FromReceiver.Kind.HELLO);
      offers.greet(true);
      Fd[] two = clients(2, new ArrayList<>());
      offers.offer(two);
      first.join();
    }
    // One message, of which one was accepted: that is acknowledged, the other is free to go.
    assertThat(offers.read()).isEqualTo(FromReceiver.Kind.ACK);
    assertThat(offers.view.settled()).isOne();
    assertThat(offers.revoke(0)).isFalse();
    assertThat(offers.isEnded()).isTrue();
    assertThat(offers.revoke(1)).isTrue();
    offers.close();
  }
}
