package dev.peekpass.receiver;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Fd;
import dev.peekpass.receiver.TestProxy.Accepted;
import dev.peekpass.wire.FromReceiver;
import java.nio.file.Path;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Connections that are given out before they are acknowledged. */
class UnacknowledgedTest {
  @TempDir Path dir;
  private final TestProxy proxy = new TestProxy();
  private DescriptorReceiver receiver;
  private TestOffers offers;

  @BeforeEach
  void open() throws Exception {
    Path path = dir.resolve("app.sock");
    receiver = Receiver.builder(path).type(SocketType.ACKNOWLEDGED).openDescriptors();
    offers = new TestOffers(proxy, path);
    assertThat(receiver.poll()).isNull();
    assertThat(offers.read()).isEqualTo(FromReceiver.Kind.HELLO);
    offers.greet(true);
  }

  @AfterEach
  void close() throws Exception {
    receiver.close();
    offers.close();
    proxy.close();
  }

  private Fd[] clients(int count) throws Exception {
    Fd[] descriptors = new Fd[count];
    for (int i = 0; i < count; i++) {
      Accepted client = proxy.client();
      descriptors[i] = client.fd();
    }
    return descriptors;
  }

  private void assertSettled(long upTo) {
    assertThat(offers.read()).isEqualTo(FromReceiver.Kind.ACK);
    assertThat(offers.view.settled()).isEqualTo(upTo);
  }

  @Test
  void oneIsAcknowledgedWhenTheCallerSaysSoOrIsBack() throws Exception {
    offers.offer(clients(3));
    proxy.own(receiver.acceptUnacknowledged().fd().number());
    assertThat(offers.isReadable()).isFalse();
    receiver.acknowledge();
    assertSettled(1);
    proxy.own(receiver.acceptUnacknowledged().fd().number());
    assertThat(offers.isReadable()).isFalse();
    proxy.own(receiver.acceptUnacknowledged().fd().number());
    assertSettled(2);
    assertThat(offers.revoke(2)).as("claimed").isFalse();
  }

  @Test
  void closingGivesBackTheLastAndThoseThatNobodyAskedFor() throws Exception {
    offers.offer(clients(3));
    proxy.own(receiver.acceptUnacknowledged().fd().number());
    Fd second = receiver.acceptUnacknowledged().fd();
    assertSettled(1);
    proxy.kernel.close(second);
    receiver.close();
    assertThat(offers.isEnded()).as("without another ACK").isTrue();
    assertThat(offers.revoke(1)).isFalse();
    assertThat(offers.revoke(2)).isTrue();
  }

  @Test
  void closingKeepsWhatWasAcknowledged() throws Exception {
    offers.offer(clients(1));
    proxy.own(receiver.acceptUnacknowledged().fd().number());
    receiver.acknowledge();
    receiver.close();
    assertSettled(1);
    assertThat(offers.isEnded()).isTrue();
  }

  @Test
  void thoseOfOneMessageAreAcknowledgedTogether() throws Exception {
    offers.offer(clients(3));
    offers.offer(clients(2));
    for (int i = 0; i < 2; i++) {
      proxy.own(next().fd().number());
      assertThat(offers.isReadable()).isFalse();
    }
    proxy.own(next().fd().number());
    assertSettled(3);
    proxy.own(next().fd().number());
    assertThat(offers.isReadable()).isFalse();
    receiver.acknowledge();
    assertSettled(4);
    proxy.own(next().fd().number());
    assertSettled(5);
    assertThat(receiver.pollMore()).isNull();
    assertThat(offers.isReadable()).isFalse();
  }

  private HandedOff next() throws Exception {
    return Objects.requireNonNull(receiver.pollMore());
  }
}
