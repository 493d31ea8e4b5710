package dev.peekpass.receiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Linux;
import dev.peekpass.receiver.TestProxy.Accepted;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.ResourceBundle;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DescriptorReceiverTest {
  private final TestProxy proxy = new TestProxy();
  @TempDir Path dir;

  @AfterEach
  void closeProxy() throws Exception {
    proxy.close();
  }

  @Test
  void givesTheDescriptorItsFamilyAndItsClient() throws Exception {
    Path path = dir.resolve("app.sock");
    try (DescriptorReceiver receiver =
        Receiver.builder(path).type(SocketType.STREAM).openDescriptors()) {
      Accepted four = proxy.client();
      Fd listener = proxy.listen("::");
      Accepted mapped = proxy.client(listener, "127.0.0.1");
      Accepted six = proxy.client(listener, "::1");
      for (Accepted accepted : List.of(four, mapped, six)) {
        proxy.once(path, accepted);
        HandedOff received = receiver.accept();
        proxy.own(received.fd().number());

        assertThat(received.inet6()).isEqualTo(!accepted.equals(four));
        assertThat(received.client()).isEqualTo(accepted.client().getLocalSocketAddress());
        int flags = proxy.kernel.fcntl(received.fd(), Linux.F_GETFL, 0);
        assertThat(flags & Linux.O_NONBLOCK).as("as it was sent").isNotZero();
      }
      assertThat(receiver.statistics().accepted()).isEqualTo(3);
    }
  }

  @Test
  void closesEverythingButWhatItGaveOut() throws Exception {
    Map<Integer, String> before = OpenDescriptors.now();
    Path path = dir.resolve("app.sock");
    DescriptorReceiver receiver = Receiver.builder(path).type(SocketType.STREAM).openDescriptors();
    receiver.close();
    receiver.close();

    assertThat(OpenDescriptors.now()).isEqualTo(before);
    assertThat(dir).isEmptyDirectory();
    assertThatThrownBy(receiver::accept).isInstanceOf(ClosedChannelException.class);
  }

  @Test
  void logsWhereItIsTold() throws Exception {
    List<String> said = new ArrayList<>();
    Path path = dir.resolve("app.sock");
    try (DescriptorReceiver receiver =
        Receiver.builder(path)
            .type(SocketType.STREAM)
            .logger(new ListLogger(said))
            .openDescriptors()) {
      Fd to = proxy.connect(path, SocketType.STREAM);
      proxy.send(to, proxy.own(proxy.kernel.eventfd(0, Linux.EFD_CLOEXEC)));
      Accepted accepted = proxy.client();
      proxy.pass(to, accepted);
      proxy.own(receiver.accept().fd().number());
    }
    assertThat(said)
        .anySatisfy(line -> assertThat(line).contains("not a connected TCP socket: no socket"));
  }

  private record ListLogger(List<String> said) implements System.Logger {
    @Override
    public String getName() {
      return "list";
    }

    @Override
    public boolean isLoggable(Level level) {
      return true;
    }

    @Override
    public void log(Level level, ResourceBundle bundle, String message, Throwable thrown) {
      said.add(message);
    }

    @Override
    public void log(Level level, ResourceBundle bundle, String format, Object... parameters) {
      said.add(format);
    }
  }
}
