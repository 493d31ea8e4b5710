package dev.peekpass.proxy.handoff;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.linux.TcpInfo;
import dev.peekpass.simulation.Client;
import dev.peekpass.simulation.Faults;
import dev.peekpass.simulation.SimulatedKernel;
import dev.peekpass.simulation.UnixPaths;
import dev.peekpass.simulation.World;
import java.lang.reflect.Proxy;
import org.junit.jupiter.api.Test;

/** On the simulated kernel, where things happen between two calls that would else be luck. */
class UntouchedTest {
  private static final int FLAGS = Linux.SOCK_NONBLOCK | Linux.SOCK_CLOEXEC;

  private final World world = new World(1, false);
  private final SimulatedKernel kernel =
      new SimulatedKernel(
          world, new UnixPaths(), new Faults(world.chance()), new SimulatedKernel.Conditions());
  private final Fd listener = Fd.of(kernel.socket(Linux.AF_INET, Linux.SOCK_STREAM | FLAGS, 0));
  private final Client client = client();
  private final Fd connection = Fd.of(kernel.accept4(listener, null, FLAGS));
  private Runnable afterUnread = () -> {};

  private Client client() {
    kernel.listen(listener, 1);
    Client made = new Client(world, 0, kernel.listener(listener), new byte[100], "bytes");
    made.connect();
    made.send(10);
    return made;
  }

  private Untouched.Finding look() {
    Kernel steered =
        (Kernel)
            Proxy.newProxyInstance(
                Kernel.class.getClassLoader(),
                new Class<?>[] {Kernel.class},
                (proxy, method, arguments) -> {
                  Object r = method.invoke(kernel, arguments);
                  if (method.getName().equals("siocinq")) {
                    afterUnread.run();
                  }
                  return r;
                });
    return new Untouched(steered).look(connection);
  }

  private void read() {
    kernel.recv(connection, new NativeBuffer(8), 0, 8, Linux.MSG_DONTWAIT);
  }

  @Test
  void kernelsThatDoNotCountWhatIsSentCallNothingUntouched() {
    Kernel before419 =
        (Kernel)
            Proxy.newProxyInstance(
                Kernel.class.getClassLoader(),
                new Class<?>[] {Kernel.class},
                (proxy, method, arguments) -> {
                  Object r = method.invoke(kernel, arguments);
                  if (method.getName().equals("tcpInfo")) {
                    // tcp_info as of Linux 4.18 ends with tcpi_sndbuf_limited, at 192 bytes.
                    ((TcpInfo) arguments[1]).filled(192);
                  }
                  return r;
                });

    assertThat(new Untouched(before419).look(connection)).isEqualTo(Untouched.Finding.TOUCHED);
  }

  @Test
  void whatNobodyHasReadIsUntouched() {
    assertThat(look()).isEqualTo(Untouched.Finding.UNTOUCHED);
  }

  @Test
  void theFinOfItsClientIsNotSomethingRead() {
    client.fin();

    assertThat(look()).isEqualTo(Untouched.Finding.UNTOUCHED);
  }

  @Test
  void whatWasReadIsTouched() {
    read();

    assertThat(look()).isEqualTo(Untouched.Finding.TOUCHED);
  }

  @Test
  void whatWasAnsweredIsTouched() {
    int flags = Linux.MSG_DONTWAIT | Linux.MSG_NOSIGNAL;
    assertThat(kernel.send(connection, new NativeBuffer(8), 0, 8, flags)).isEqualTo(8);

    assertThat(look()).isEqualTo(Untouched.Finding.TOUCHED);
  }

  @Test
  void bytesThatComeBetweenTheTwoCountsAreNotSomethingRead() {
    int[] left = {3};
    afterUnread =
        () -> {
          if (left[0]-- > 0) {
            client.send(10);
          }
        };

    assertThat(look()).isEqualTo(Untouched.Finding.UNTOUCHED);
  }

  @Test
  void theFinThatComesBetweenTheTwoCountsIsNotSomethingRead() {
    afterUnread = client::fin;

    assertThat(look()).isEqualTo(Untouched.Finding.UNTOUCHED);
  }

  @Test
  void bytesThatKeepComingHideNothingThatWasRead() {
    read();
    afterUnread = () -> client.send(1);

    assertThat(look()).isEqualTo(Untouched.Finding.TOUCHED);
  }

  @Test
  void aClientThatHasGoneIsToldFromALoss() {
    read();
    client.reset();

    assertThat(look()).isEqualTo(Untouched.Finding.RESET);
  }
}
