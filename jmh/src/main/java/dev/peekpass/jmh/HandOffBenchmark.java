package dev.peekpass.jmh;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.Message;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.proxy.Proxy;
import dev.peekpass.proxy.config.ConfigurationReader;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * One connection after the other through a running proxy: the allocation of client, proxy and
 * receiver together, which GCProfiler shows, is the proxy's, since the other two allocate nothing.
 * What there is comes from the JDK, which allocates 40 bytes at a system call that C2 has not
 * compiled; {@code proxy}'s AllocationTest asserts that it is nothing else. The time is that of a
 * whole round trip with two threads waking each other, and says little.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 5, time = 2)
@Measurement(iterations = 5, time = 1)
@Fork(3)
public class HandOffBenchmark {
  private static final int PATIENCE_MILLIS = 10_000;

  /** How the backend is handed connections. */
  @Param({"persistent", "once", "datagram"})
  public String method;

  private final Kernel kernel = LinuxKernel.open();
  private final Message message = new Message(1, 1);
  private final SockAddr proxyAddress = new SockAddr();
  private final NativeBuffer hello = copy(Flights.captured("corpus/curl-http2.bin"));
  private Path directory;
  private Proxy proxy;
  private Fd socket;
  private Fd channel;

  /** Made by JMH. */
  @SuppressWarnings("NullAway.Init") // JMH calls setUp before anything else
  public HandOffBenchmark() {}

  private static NativeBuffer copy(java.nio.ByteBuffer bytes) {
    NativeBuffer copy = new NativeBuffer(bytes.capacity());
    copy.bytes().put(0, bytes, 0, bytes.capacity());
    return copy;
  }

  /** Starts a receiver and a proxy. */
  @Setup
  public void setUp() throws IOException {
    directory = Files.createTempDirectory("peekpass-jmh");
    Path path = directory.resolve("backend");
    boolean datagram = method.equals("datagram");
    int type = datagram ? Linux.SOCK_DGRAM : Linux.SOCK_STREAM;
    socket = Fd.of(check("socket", kernel.socket(Linux.AF_UNIX, type, 0)));
    SockAddr address = new SockAddr();
    address.unix(path.toString());
    check("bind", kernel.bind(socket, address));
    if (!datagram) {
      check("listen", kernel.listen(socket, 128));
    }
    String yaml =
        """
        listeners:
          - { bind: "127.0.0.1:0" }
        backends:
          all: { handoff: "unix:%s", method: %s }
        routes:
          - { host: "*", backend: all }
        """
            .formatted(path, method);
    if (!(ConfigurationReader.read("jmh.yaml", yaml) instanceof ConfigurationReader.Valid valid)) {
      throw new IllegalStateException(yaml);
    }
    proxy = Proxy.start(valid.configuration(), LinuxKernel::open, (lines, length, givesUp) -> 0);
    String bound = proxy.addresses().getFirst();
    int port = Integer.parseInt(bound.substring(bound.lastIndexOf(':') + 1));
    proxyAddress.inet(InetAddress.getByAddress(new byte[] {127, 0, 0, 1}), port, 0);
    channel = socket;
  }

  /** Stops both. */
  @TearDown
  public void tearDown() throws IOException, InterruptedException {
    proxy.stop();
    proxy.await();
    if (!channel.equals(socket)) {
      kernel.close(channel);
    }
    kernel.close(socket);
    Files.delete(directory.resolve("backend"));
    Files.delete(directory);
  }

  /** A client connects and says hello, the receiver gets the connection, both close. */
  @Benchmark
  public int connection() {
    Fd client = Fd.of(check("socket", kernel.socket(Linux.AF_INET, Linux.SOCK_STREAM, 0)));
    check("connect", kernel.connect(client, proxyAddress));
    check("send", kernel.send(client, hello, 0, hello.capacity(), Linux.MSG_NOSIGNAL));
    if (channel.equals(socket) && !method.equals("datagram")) {
      await(socket);
      channel = Fd.of(check("accept4", kernel.accept4(socket, null, Linux.SOCK_CLOEXEC)));
    }
    await(channel);
    int bytes = check("recvmsg", kernel.recvmsg(channel, message, Linux.MSG_CMSG_CLOEXEC));
    if (message.descriptorCount() != 1) {
      throw new IllegalStateException("a message without a connection");
    }
    // The receiver first, with the hello unread: a reset leaves no port in TIME_WAIT.
    kernel.close(message.descriptor(0));
    kernel.close(client);
    if (method.equals("once")) {
      kernel.close(channel);
      channel = socket;
    }
    return bytes;
  }

  private void await(Fd fd) {
    if (check("poll", kernel.poll(fd, Linux.POLLIN, PATIENCE_MILLIS)) == 0) {
      throw new IllegalStateException("nothing was handed off within " + PATIENCE_MILLIS + " ms");
    }
  }

  private static int check(String call, int result) {
    if (result < 0) {
      throw new IllegalStateException(call + ": " + Errno.name(-result));
    }
    return result;
  }
}
