package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.config.ConfigurationReader;
import dev.peekpass.proxy.connection.Connection;
import dev.peekpass.proxy.output.LineSink;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.Outcome;
import dev.peekpass.proxy.turn.DescriptorCloser;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/** What tests of the running proxy share. */
public final class Tests {
  private static final long PATIENCE_NANOS = 30_000_000_000L;

  private static final long POLL_NANOS = 200_000;

  /** Closes at once, in tests in which nobody lingers. */
  static final DescriptorCloser.Factory CLOSERS =
      turn ->
          new DescriptorCloser() {
            @Override
            public void close(Fd descriptor) {
              turn.kernel().close(descriptor);
            }

            @Override
            public boolean isFull() {
              return false;
            }
          };

  private Tests() {}

  /** Connections that belong to no listener. */
  public static final class Idle {
    private Idle() {}

    @SuppressWarnings("NullAway") // neither is looked at
    public static Connection connection() {
      return new Connection(null, null);
    }
  }

  public static Configuration configuration(String yaml) {
    var result = ConfigurationReader.read("test.yaml", yaml);
    assertThat(result).isInstanceOf(ConfigurationReader.Valid.class);
    return ((ConfigurationReader.Valid) result).configuration();
  }

  /** Waits for something that will be true, however loaded the machine is. */
  public static void await(String what, BooleanSupplier condition) {
    long start = System.nanoTime();
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime() - start).as("waiting until %s", what).isLessThan(PATIENCE_NANOS);
      LockSupport.parkNanos(POLL_NANOS);
    }
  }

  public static long openDescriptors() {
    try (var files = Files.list(Path.of("/proc/self/fd"))) {
      return files.count();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  /** Takes lines into memory. */
  static LineSink sink(ByteArrayOutputStream out) {
    return (lines, length, givesUp) -> {
      out.write(lines, 0, length);
      return 0;
    };
  }

  /** A proxy in this process. */
  static final class Running implements AutoCloseable {
    final ByteArrayOutputStream accessLog = new ByteArrayOutputStream();
    final Proxy proxy;

    Running(String yaml) throws IOException {
      this(yaml, LinuxKernel::open);
    }

    Running(String yaml, Supplier<Kernel> kernels) throws IOException {
      proxy = Proxy.start(configuration(yaml), kernels, sink(accessLog));
    }

    Socket connect() throws IOException {
      return connect(0);
    }

    Socket connect(int listener) throws IOException {
      String address = proxy.addresses().get(listener);
      int colon = address.lastIndexOf(':');
      Socket socket = new Socket();
      socket.connect(
          new InetSocketAddress(
              address.substring(0, colon), Integer.parseInt(address.substring(colon + 1))));
      return socket;
    }

    long count(Outcome outcome) {
      return proxy.outcomes().getOrDefault(outcome, 0L);
    }

    long count(Counter counter) {
      return proxy.counts().getOrDefault(counter, 0L);
    }

    String log() {
      return accessLog.toString(StandardCharsets.UTF_8);
    }

    @Override
    public void close() {
      proxy.stop();
      try {
        assertThat(proxy.await()).as("the proxy stopped because it was asked to").isTrue();
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
    }
  }
}
