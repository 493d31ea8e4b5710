package dev.peekpass.receiver.netty;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Linux;
import dev.peekpass.receiver.TestOffers;
import dev.peekpass.receiver.TestProxy;
import dev.peekpass.receiver.TestProxy.Accepted;
import dev.peekpass.wire.FromReceiver;
import dev.peekpass.wire.Metadata;
import io.netty.channel.Channel;
import java.net.Socket;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The channel as it is unless told otherwise: it acknowledges. */
class AcknowledgedServerChannelTest {
  @TempDir private Path dir;
  private final TestProxy proxy = new TestProxy();
  private final NettyEcho netty = new NettyEcho().with(receiver -> receiver);
  private HandOffServerChannel server;
  private TestOffers offers;

  @BeforeEach
  void open() throws Exception {
    Path path = dir.resolve("app.sock");
    server = netty.bind(path);
    offers = new TestOffers(proxy, path);
    assertThat(offers.read()).isEqualTo(FromReceiver.Kind.HELLO);
    offers.greet(true);
  }

  @AfterEach
  void close() throws Exception {
    netty.close();
    offers.close();
    proxy.close();
  }

  private static void assertEchoes(Socket client) throws Exception {
    client.getOutputStream().write("to and fro".getBytes(US_ASCII));
    assertThat(new String(client.getInputStream().readNBytes(10), US_ASCII))
        .isEqualTo("to and fro");
  }

  private List<Accepted> offer(int count) throws Exception {
    List<Accepted> clients = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      clients.add(proxy.client());
    }
    offers.offer(clients.stream().map(Accepted::fd).toArray(Fd[]::new));
    return clients;
  }

  private void assertSettled(long upTo) {
    assertThat(offers.read()).isEqualTo(FromReceiver.Kind.ACK);
    assertThat(offers.view.settled()).isEqualTo(upTo);
  }

  @Test
  void childrenKnowWhatTheProxySaysAndOneAckIsForAMessage() throws Exception {
    List<Accepted> clients = offer(5);
    List<Integer> routes = new ArrayList<>();
    for (Accepted client : clients) {
      Metadata metadata = netty.child().attr(HandOffServerChannel.METADATA).get();
      assertThat(metadata.serverName()).isEqualTo("shop.example");
      routes.add(metadata.routeLine());
      assertEchoes(client.client());
    }
    assertThat(routes).containsExactlyInAnyOrder(1, 2, 3, 4, 5);
    assertSettled(5);
    netty.settle();
    assertThat(offers.isReadable()).as("another ACK").isFalse();
  }

  @Test
  void whatIsNotReadIsNotClaimed() throws Exception {
    server.config().setAutoRead(false);
    netty.settle();
    List<Accepted> clients = offer(3);
    server.read();
    netty.child();
    netty.settle();
    assertSettled(1);
    assertEchoes(clients.getFirst().client());
    assertThat(offers.revoke(0)).isFalse();
    assertThat(offers.revoke(1)).isTrue();
    server.read();
    netty.child();
    assertSettled(3);
    assertEchoes(clients.getLast().client());
    assertThat(netty.children).isEmpty();
    assertThat(server.statistics().takenBack()).isOne();
  }

  @Test
  void closingGivesBackWhatHasNotBecomeAChild() throws Exception {
    server.config().setAutoRead(false);
    netty.settle();
    List<Accepted> clients = offer(3);
    server.read();
    netty.child();
    server.close().sync();
    assertSettled(1);
    assertThat(offers.isEnded()).isTrue();
    assertThat(offers.revoke(0)).isFalse();
    assertThat(offers.revoke(1)).isTrue();
    assertThat(offers.revoke(2)).isTrue();
    assertThat(dir).isEmptyDirectory();
    assertEchoes(clients.getFirst().client());
  }

  /** The test keeps its own copy, as a receiver that hangs does. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void oneThatHasACopyElsewhereIsShutDown(boolean byServer) throws Exception {
    offers.offeredBefore = true;
    Accepted accepted = offer(1).getFirst();
    Channel child = netty.child();
    assertEchoes(accepted.client());
    if (byServer) {
      child.close().sync();
    } else {
      accepted.client().shutdownOutput();
      child.closeFuture().sync();
    }
    assertThat(accepted.client().getInputStream().read()).isEqualTo(-1);
    assertThat(proxy.kernel.fcntl(accepted.fd(), Linux.F_GETFL, 0)).isNotNegative();
  }
}
