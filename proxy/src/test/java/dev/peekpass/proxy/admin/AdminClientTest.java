package dev.peekpass.proxy.admin;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.LinuxKernel;
import java.lang.management.ManagementFactory;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AdminClientTest {
  private static final int ANSWER_BYTES = 4 << 20;

  @TempDir private Path dir;
  private final Kernel kernel = LinuxKernel.open();

  /** It used to be copied anew for every 4 KiB that came: two gigabytes for this one. */
  @Test
  void aLongAnswerIsReadAtACostThatGrowsWithItsLength() throws Exception {
    String path = dir.resolve("admin.sock").toString();
    String answer = "x".repeat(ANSWER_BYTES);
    try (ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      listener.bind(UnixDomainSocketAddress.of(path));
      CompletableFuture<Void> answered =
          CompletableFuture.runAsync(() -> {
            try (SocketChannel client = listener.accept()) {
              ByteBuffer bytes = ByteBuffer.wrap((answer + "\n").getBytes(StandardCharsets.UTF_8));
              while (bytes.hasRemaining()) {
                client.write(bytes);
              }
            } catch (java.io.IOException e) {
              throw new java.io.UncheckedIOException(e);
            }
          });
      ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
      long before = threads.getCurrentThreadAllocatedBytes();

      assertThat(AdminClient.ask(kernel, path, "status")).isEqualTo(answer);

      assertThat(threads.getCurrentThreadAllocatedBytes() - before)
          .as("bytes allocated for an answer of %d", ANSWER_BYTES)
          .isLessThan(16L * ANSWER_BYTES);
      answered.get(60, TimeUnit.SECONDS);
    }
  }
}
