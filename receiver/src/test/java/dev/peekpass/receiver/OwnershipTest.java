package dev.peekpass.receiver;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.receiver.TestProxy.Accepted;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Each descriptor has one owner at every line, also while an exception flies: a proxy hands over
 * connections and junk while, run by run, another call of the receiver's throws.
 */
class OwnershipTest {
  /** More calls than a run makes. */
  private static final int CALLS_MAX = 2000;

  /** How often the application asks again after an exception, or for nothing. */
  private static final int ASKS_MAX = 60;

  @TempDir Path dir;

  /** What one run has brought. */
  private static final class Run {
    int exceptions;
    int connections;
    boolean open;
  }

  @BeforeAll
  static void openWhatTheJdkOpensOnce() throws Exception {
    try (TestProxy proxy = new TestProxy()) {
      proxy.client().client().close();
      proxy.client().client().setSoLinger(true, 0);
    }
  }

  @ParameterizedTest
  @EnumSource
  void nothingLeaksWhicheverCallThrows(SocketType type) throws Exception {
    int thrown = 0;
    int without = 0;
    Run run;
    do {
      int call = thrown;
      run = run(type, call, ledger -> ledger.throwAt(call), Integer.MAX_VALUE);
      if (run.open && run.connections == 0) {
        without++;
      } else if (run.open && type != SocketType.ACKNOWLEDGED) {
        // One that is being inspected when a call throws is closed, so that the next is reached.
        assertThat(run.connections)
            .as("call " + call)
            .isGreaterThanOrEqualTo(clients(type) - run.exceptions);
      }
      thrown++;
    } while (run.exceptions > 0 && thrown < CALLS_MAX);
    assertThat(thrown).as("runs in which a call threw").isBetween(60, CALLS_MAX - 1);
    if (type != SocketType.ACKNOWLEDGED) {
      // SO_PEERCRED and epoll_ctl, of the UNIX connection by which all come.
      assertThat(without).as("runs without a connection").isLessThanOrEqualTo(2);
    }
    assertThat(run.connections).as("without an exception").isEqualTo(clients(type));
  }

  private static int clients(SocketType type) {
    return type == SocketType.ACKNOWLEDGED ? 2 : 3;
  }

  @ParameterizedTest
  @EnumSource
  void nothingIsLostWhicheverLineCannotBeLogged(SocketType type) throws Exception {
    int line = 0;
    Run run;
    do {
      run = run(type, line, ledger -> {}, line);
      assertThat(run.connections).as("line " + line).isEqualTo(run.open ? clients(type) : 0);
      line++;
    } while (run.exceptions > 0 && line < CALLS_MAX);
    assertThat(line).as("runs in which a line threw").isBetween(4, CALLS_MAX - 1);
  }

  @ParameterizedTest
  @EnumSource
  void drainingEndsWhicheverCallThrows(SocketType type) throws Exception {
    int call = 0;
    Run run;
    do {
      run = new Run();
      drain(type, call, run);
      call++;
    } while (run.exceptions > 0 && call < CALLS_MAX);
    assertThat(call).as("runs in which a call threw").isBetween(10, CALLS_MAX - 1);
  }

  private void drain(SocketType type, int call, Run run) throws Exception {
    TestProxy proxy = new TestProxy();
    DescriptorLedger ledger = new DescriptorLedger(LinuxKernel.open());
    Path path = dir.resolve(type + ".d" + call);
    List<Fd> given = new ArrayList<>();
    DescriptorReceiver receiver =
        Receiver.builder(path)
            .type(type)
            .maxUnixConnections(2)
            .kernels(ledger.kernels())
            .openDescriptors();
    assertThat(receiver.poll()).isNull();
    for (int i = 0; i < 3; i++) {
      Fd to = proxy.connect(path, type);
      if (type != SocketType.ACKNOWLEDGED) {
        proxy.pass(to, proxy.client());
      }
      proxy.close(to);
    }
    ledger.throwAt(call);
    for (int i = 0; i < ASKS_MAX && !receiver.isDrained(); i++) {
      try {
        receiver.drain();
      } catch (VirtualMachineError e) {
        run.exceptions++;
      }
      askOnce(receiver, given, run);
    }
    assertThat(receiver.isDrained()).as("call " + call).isTrue();
    if (type != SocketType.ACKNOWLEDGED) {
      assertThat(given).as("call " + call).hasSizeGreaterThanOrEqualTo(3 - run.exceptions);
    }
    for (Fd fd : given) {
      ledger.given(fd);
      proxy.own(fd.number());
    }
    close(receiver, run);
    assertThat(ledger.awaitNothingOpen()).as("call " + call).isEmpty();
    assertThat(ledger.wrong()).as("call " + call).isEmpty();
    proxy.close();
  }

  @Test
  void aLoggerThatThrowsKeepsNothingFromOpening() throws Exception {
    TestProxy proxy = new TestProxy();
    DescriptorLedger ledger = new DescriptorLedger(proxy.kernel);
    System.Logger broken = new LoggerThatThrows(-1, new IllegalStateException("on purpose"));
    Receiver.builder(dir.resolve("app.sock"))
        .kernels(ledger.kernels())
        .logger(broken)
        .openDescriptors()
        .close();
    assertThat(ledger.open()).isEmpty();
    assertThat(ledger.wrong()).isEmpty();
    proxy.close();
  }

  private interface Fault {
    void prepare(DescriptorLedger ledger);
  }

  private Run run(SocketType type, int number, Fault fault, int line) throws Exception {
    Run run = new Run();
    TestProxy proxy = new TestProxy();
    DescriptorLedger ledger = new DescriptorLedger(LinuxKernel.open());
    Path path = dir.resolve(type + "." + number);
    String name = "call or line " + number;
    System.Logger log = new LoggerThatThrows(line, new OutOfMemoryError("on purpose"));
    Map<Integer, String> before = new HashMap<>(OpenDescriptors.now());
    fault.prepare(ledger);
    DescriptorReceiver receiver = null;
    try {
      receiver =
          Receiver.builder(path)
              .type(type)
              .maxUnixConnections(3)
              .kernels(ledger.kernels())
              .logger(log)
              .openDescriptors();
      run.open = true;
      List<Fd> given = new ArrayList<>();
      if (type == SocketType.ACKNOWLEDGED) {
        offer(proxy, path, receiver, given, run);
      } else {
        send(proxy, path, type);
        ask(receiver, given, run, clients(type));
      }
      run.connections = given.size();
      ledger.suspend(true);
      assertStillReceives(proxy, path, type, receiver, given);
      ledger.suspend(false);
      for (Fd fd : given) {
        ledger.given(fd);
        proxy.own(fd.number());
      }
    } catch (VirtualMachineError e) {
      run.exceptions++;
    } finally {
      if (receiver != null) {
        close(receiver, run);
      }
    }
    assertThat(ledger.awaitNothingOpen()).as(name).isEmpty();
    assertThat(ledger.wrong()).as(name).isEmpty();
    proxy.close();
    assertThat(OpenDescriptors.now()).as(name).isEqualTo(before);
    return run;
  }

  private static void assertStillReceives(
      TestProxy proxy, Path path, SocketType type, DescriptorReceiver receiver, List<Fd> given)
      throws IOException {
    Accepted late = proxy.client();
    if (type == SocketType.ACKNOWLEDGED) {
      TestOffers offers = new TestOffers(proxy, path);
      for (int i = 0; i < ASKS_MAX && !offers.isReadable(); i++) {
        askOnce(receiver, given, new Run());
      }
      offers.greet(true).offer(late.fd());
      ask(receiver, given, new Run(), given.size() + 1);
      offers.close();
    } else {
      proxy.send(proxy.connect(path, type), late.fd());
      ask(receiver, given, new Run(), given.size() + 1);
    }
    SockAddr client = new SockAddr();
    assertThat(proxy.kernel.getpeername(given.getLast(), client)).isZero();
    assertThat(client.port()).isEqualTo(late.client().getLocalPort());
  }

  private static void close(DescriptorReceiver receiver, Run run) throws IOException {
    try {
      receiver.close();
    } catch (VirtualMachineError e) {
      run.exceptions++;
    }
    receiver.close();
  }

  /** Asks until the connections are there, as an application that survives what it is thrown. */
  private static void ask(DescriptorReceiver receiver, List<Fd> given, Run run, int until)
      throws IOException {
    for (int i = 0; i < ASKS_MAX && given.size() < until; i++) {
      askOnce(receiver, given, run);
    }
  }

  private static void askOnce(DescriptorReceiver receiver, List<Fd> given, Run run)
      throws IOException {
    try {
      HandedOff connection = receiver.poll();
      if (connection != null) {
        given.add(connection.fd());
      }
    } catch (VirtualMachineError e) {
      run.exceptions++;
    }
  }

  /** Three connections, and between them all that a message can be. */
  private static void send(TestProxy proxy, Path path, SocketType type) throws IOException {
    Fd to = proxy.connect(path, type);
    Fd junk = proxy.own(proxy.kernel.eventfd(0, Linux.EFD_CLOEXEC));
    Accepted gone = proxy.client();
    gone.client().setSoLinger(true, 0);
    gone.client().close();
    proxy.send(to, junk, junk);
    proxy.pass(to, proxy.client());
    proxy.pass(to, gone);
    Accepted first = proxy.client();
    proxy.send(to, first.fd(), junk);
    proxy.close(first.fd());
    if (type == SocketType.STREAM) {
      // Fills the receiver's buffer to the last byte.
      proxy.sendBytes(to, 64, junk);
      proxy.sendBytes(to, 2, junk);
      proxy.connect(path, type);
      proxy.close(proxy.connect(path, type));
    } else {
      proxy.sendPlain(to, 1);
      proxy.sendBytes(to, 0, junk);
    }
    proxy.pass(to, proxy.client());
  }

  /** An offer of two, a message of nothing, and others that break the protocol. */
  private static void offer(
      TestProxy proxy, Path path, DescriptorReceiver receiver, List<Fd> given, Run run)
      throws IOException {
    Fd junk = proxy.own(proxy.kernel.eventfd(0, Linux.EFD_CLOEXEC));
    for (int what = 0; what < 6; what++) {
      TestOffers offers = new TestOffers(proxy, path);
      // A proxy sends nothing before HELLO, nor could it.
      for (int i = 0; i < ASKS_MAX / 3 && !offers.isReadable(); i++) {
        askOnce(receiver, given, run);
      }
      try {
        offers.greet(what % 2 == 0);
        Accepted first = proxy.client();
        switch (what) {
          case 0 -> offers.sendBytes(new byte[0], first.fd(), junk);
          case 1 -> offers.sendBytes(new byte[] {0x12}, first.fd());
          case 2 -> offers.offer(7, 1, first.fd());
          case 3 -> offers.hello(1, 0, junk);
          // Not said to be offered: taken back before it could be claimed.
          case 4 -> offers.offer(0, 2, first.fd(), junk);
          default -> offers.offer(first.fd(), junk, proxy.client().fd());
        }
      } catch (AssertionError e) {
        // The receiver has ended the channel, since it was thrown something.
      }
      for (int i = 0; i < ASKS_MAX / 3; i++) {
        askOnce(receiver, given, run);
      }
      offers.close();
    }
  }

  /** Throws at one of its lines; at all when that is negative. */
  private static final class LoggerThatThrows implements System.Logger {
    private final int line;
    private final Throwable thrown;
    private int lines;

    LoggerThatThrows(int line, Throwable thrown) {
      this.line = line;
      this.thrown = thrown;
    }

    @Override
    public String getName() {
      return "throws";
    }

    @Override
    public boolean isLoggable(Level level) {
      fail();
      return true;
    }

    @Override
    public void log(Level level, java.util.ResourceBundle b, String text, Throwable t) {
      fail();
    }

    @Override
    public void log(
        Level level, java.util.@Nullable ResourceBundle b, String text, Object... values) {
      fail();
    }

    private void fail() {
      if (line >= 0 && lines++ != line) {
        return;
      }
      if (thrown instanceof Error error) {
        throw error;
      }
      throw (RuntimeException) thrown;
    }
  }
}
