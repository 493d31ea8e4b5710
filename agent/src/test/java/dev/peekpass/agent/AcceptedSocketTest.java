package dev.peekpass.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.receiver.HandedOff;
import java.net.InetSocketAddress;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class AcceptedSocketTest {
  private static final int BYTES = 200_000;

  private final Kernel kernel = LinuxKernel.open();
  private final Fd listener = socket();
  private final HandedOff connection = new HandedOff(socket(), false, new InetSocketAddress(1));

  private Fd socket() {
    int type = Linux.SOCK_STREAM | Linux.SOCK_CLOEXEC | Linux.SOCK_NONBLOCK;
    return Fd.of(kernel.socket(Linux.AF_INET, type, 0));
  }

  @AfterEach
  void close() {
    kernel.close(listener);
    kernel.close(connection.fd());
  }

  private int option(Fd fd, int level, int name) {
    return kernel.getsockopt(fd, level, name);
  }

  @Test
  void hasTheModeThatIsWanted() {
    new AcceptedSocket(kernel, listener, false).prepare(kernel, connection);
    assertThat(kernel.fcntl(connection.fd(), Linux.F_GETFL, 0) & Linux.O_NONBLOCK).isZero();
    new AcceptedSocket(kernel, listener, true).prepare(kernel, connection);
    assertThat(kernel.fcntl(connection.fd(), Linux.F_GETFL, 0) & Linux.O_NONBLOCK).isNotZero();
  }

  @Test
  void inheritsWhatTheListeningSocketHas() {
    kernel.setsockopt(listener, Linux.SOL_SOCKET, Linux.SO_RCVBUF, BYTES);
    kernel.setsockopt(listener, Linux.SOL_SOCKET, Linux.SO_KEEPALIVE, 1);
    kernel.setsockopt(listener, Linux.IPPROTO_TCP, Linux.TCP_KEEPIDLE, 77);
    new AcceptedSocket(kernel, listener, false).prepare(kernel, connection);

    for (int[] option :
        new int[][] {
          {Linux.SOL_SOCKET, Linux.SO_RCVBUF},
          {Linux.SOL_SOCKET, Linux.SO_SNDBUF},
          {Linux.SOL_SOCKET, Linux.SO_KEEPALIVE},
          {Linux.IPPROTO_TCP, Linux.TCP_KEEPIDLE},
          {Linux.IPPROTO_TCP, Linux.TCP_NODELAY}
        }) {
      assertThat(option(connection.fd(), option[0], option[1]))
          .isEqualTo(option(listener, option[0], option[1]));
    }
  }

  @Test
  void itsReceiveBufferNeverShrinks() {
    int before = option(connection.fd(), Linux.SOL_SOCKET, Linux.SO_RCVBUF);
    kernel.setsockopt(listener, Linux.SOL_SOCKET, Linux.SO_RCVBUF, 4096);
    kernel.setsockopt(listener, Linux.SOL_SOCKET, Linux.SO_SNDBUF, 8192);
    new AcceptedSocket(kernel, listener, false).prepare(kernel, connection);

    assertThat(option(connection.fd(), Linux.SOL_SOCKET, Linux.SO_RCVBUF)).isEqualTo(before);
    assertThat(option(connection.fd(), Linux.SOL_SOCKET, Linux.SO_SNDBUF)).isEqualTo(2 * 8192);
  }

  @Test
  void followsOptionsThatAreSetLater() {
    AcceptedSocket accepted = new AcceptedSocket(kernel, listener, false);
    accepted.prepare(kernel, connection);
    assertThat(option(connection.fd(), Linux.IPPROTO_TCP, Linux.TCP_NODELAY)).isZero();
    accepted.optionsChange();
    kernel.setsockopt(listener, Linux.IPPROTO_TCP, Linux.TCP_NODELAY, 1);
    accepted.prepare(kernel, connection);
    assertThat(option(connection.fd(), Linux.IPPROTO_TCP, Linux.TCP_NODELAY)).isOne();
  }
}
