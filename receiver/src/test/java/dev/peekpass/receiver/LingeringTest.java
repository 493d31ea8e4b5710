package dev.peekpass.receiver;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Linux;
import dev.peekpass.receiver.TestProxy.Accepted;
import dev.peekpass.wire.FromReceiver;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Descriptors that linger, from a proxy that is allowed, in every form in which a receiver gives
 * them to nobody: whoever comes behind them does not wait.
 */
class LingeringTest {
  @TempDir Path dir;
  private final TestProxy proxy = new TestProxy();

  @AfterEach
  void closeProxy() throws IOException {
    proxy.close();
  }

  private DescriptorReceiver open(SocketType type) throws IOException {
    return Receiver.builder(dir.resolve("app.sock")).type(type).openDescriptors();
  }

  /** In a form that no receiver takes, on a channel that has its HELLO. */
  enum Form {
    BEFORE_HELLO {
      @Override
      void send(TestOffers from, Fd lingering) {
        from.offer(0, 1, lingering);
      }
    },
    TOO_MANY {
      @Override
      void send(TestOffers from, Fd lingering) {
        from.greet(true).offer(0, 1, lingering, lingering);
      }
    },
    TOO_FEW {
      @Override
      void send(TestOffers from, Fd lingering) {
        from.greet(true).offer(0, 2, lingering);
      }
    },
    AS_PAGE {
      @Override
      void send(TestOffers from, Fd lingering) {
        from.hello(1, TestOffers.WORDS, lingering);
      }
    },
    OF_UNKNOWN_TYPE {
      @Override
      void send(TestOffers from, Fd lingering) {
        from.greet(true).sendBytes(new byte[] {0x7f}, lingering);
      }
    },
    MALFORMED {
      @Override
      void send(TestOffers from, Fd lingering) {
        from.greet(true).sendBytes(new byte[] {0x12}, lingering);
      }
    },
    /** What looks like the end of the channel is not the end of what waits in it. */
    BEHIND_NOTHING {
      @Override
      void send(TestOffers from, Fd lingering) {
        from.greet(true).sendBytes(new byte[0]);
        from.sendBytes(new byte[0]);
        from.offer(lingering);
        from.sendBytes(new byte[0], lingering);
      }
    },
    /** The first breaks the protocol; the others are in the queue when the channel is closed. */
    BEHIND_A_BREACH {
      @Override
      void send(TestOffers from, Fd lingering) {
        from.greet(true).sendBytes(new byte[] {0x12});
        from.offer(lingering);
        from.offer(lingering);
      }
    };

    abstract void send(TestOffers from, Fd lingering);
  }

  private HandedOff next(DescriptorReceiver receiver) throws IOException {
    HandedOff next = receiver.poll();
    while (next == null) {
      proxy.kernel.poll(receiver.pollable(), Linux.POLLIN, 100);
      next = receiver.poll();
    }
    return next;
  }

  private void assertNextAtOnce(DescriptorReceiver receiver, Accepted expected) throws Exception {
    Lingering.assertAtOnce(() -> {
      HandedOff next = next(receiver);
      assertThat(next.client()).isEqualTo(expected.client().getLocalSocketAddress());
      next.discard(proxy.kernel);
    });
  }

  /** A channel that is let in and has the receiver's HELLO. */
  private TestOffers channel(DescriptorReceiver receiver) throws IOException {
    TestOffers channel = new TestOffers(proxy, receiver.localPath());
    assertThat(receiver.poll()).isNull();
    assertThat(channel.read()).isEqualTo(FromReceiver.Kind.HELLO);
    return channel;
  }

  @ParameterizedTest
  @EnumSource
  void whatIsRefusedDoesNotHoldUpTheNext(Form form) throws Exception {
    try (DescriptorReceiver receiver = open(SocketType.ACKNOWLEDGED)) {
      TestOffers breaking = channel(receiver);
      TestOffers good = channel(receiver);
      Fd lingering = Lingering.connection(proxy);
      form.send(breaking, lingering);
      proxy.close(lingering);
      Accepted accepted = proxy.client();
      good.greet(true).offer(accepted.fd());
      assertNextAtOnce(receiver, accepted);
      Lingering.assertAtOnce(receiver::close);
      breaking.close();
      good.close();
    }
  }

  @Test
  void whatWasTakenBackDoesNotHoldUpTheNext() throws Exception {
    try (DescriptorReceiver receiver = open(SocketType.ACKNOWLEDGED)) {
      TestOffers from = channel(receiver);
      // The other that has it lets it linger, and closes first.
      Fd lingering = Lingering.connection(proxy);
      Accepted accepted = proxy.client();
      from.greet(true).offer(lingering);
      from.offer(accepted.fd());
      assertThat(from.revoke(0)).isTrue();
      proxy.close(lingering);
      assertNextAtOnce(receiver, accepted);
      assertThat(receiver.statistics().takenBack()).isOne();
      from.close();
    }
  }

  /** Its options are somebody else's business. */
  @Test
  void whatWasTakenBackKeepsItsOptions() throws Exception {
    try (DescriptorReceiver receiver = open(SocketType.ACKNOWLEDGED)) {
      TestOffers from = channel(receiver);
      Fd lingering = Lingering.connection(proxy);
      Accepted accepted = proxy.client();
      from.greet(true).offer(lingering);
      from.offer(accepted.fd());
      assertThat(from.revoke(0)).isTrue();
      assertNextAtOnce(receiver, accepted);
      assertThat(proxy.kernel.getsockopt(lingering, Linux.SOL_SOCKET, Linux.SO_LINGER)).isOne();
      proxy.kernel.setLinger(lingering, false, 0);
      from.close();
    }
  }

  /** Not received, not even let in: the kernel closes what waits in a socket with the socket. */
  @ParameterizedTest
  @EnumSource
  void closingDoesNotWaitForWhatIsQueued(SocketType type) throws Exception {
    try (DescriptorReceiver receiver = open(type)) {
      Fd lingering = Lingering.connection(proxy);
      if (type == SocketType.ACKNOWLEDGED) {
        TestOffers from = channel(receiver).greet(true);
        from.offer(lingering);
        from.offer(lingering);
      } else {
        Fd to = proxy.connect(receiver.localPath(), type);
        proxy.send(to, lingering);
        proxy.send(to, lingering, lingering);
      }
      proxy.close(lingering);
      Lingering.assertAtOnce(receiver::close);
    }
  }

  /** One connection of a message was given out, the other waits here; more are in the socket. */
  @ParameterizedTest
  @EnumSource(value = SocketType.class, names = "ACKNOWLEDGED", mode = EnumSource.Mode.EXCLUDE)
  void closingDoesNotWaitForWhatWasReceived(SocketType type) throws Exception {
    try (DescriptorReceiver receiver = open(type)) {
      Fd to = proxy.connect(receiver.localPath(), type);
      Fd lingering = Lingering.connection(proxy);
      Accepted accepted = proxy.client();
      proxy.send(to, accepted.fd(), lingering);
      proxy.send(to, lingering);
      proxy.close(lingering);
      assertNextAtOnce(receiver, accepted);
      Lingering.assertAtOnce(receiver::close);
    }
  }
}
