package dev.peekpass.proxy.admin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.LinuxKernel;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The new process's side, with an old one that says what a test wants. */
class TakeoverTest {
  private static final TakeoverTimes TIMES =
      new TakeoverTimes(Duration.ofSeconds(60), Duration.ofMillis(300));

  @TempDir private Path dir;
  private final Kernel kernel = LinuxKernel.open();
  private ServerSocketChannel listener;

  /** What an old process does with one connection. */
  private interface Old {
    void talk(BufferedReader in, SocketChannel out) throws IOException;
  }

  @BeforeEach
  void listen() throws IOException {
    listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    listener.bind(UnixDomainSocketAddress.of(path()));
  }

  @AfterEach
  void close() throws IOException {
    listener.close();
  }

  private String path() {
    return dir.resolve("admin.sock").toString();
  }

  /** Plays the old process, a connection after the other. */
  private CompletableFuture<Void> old(Old... connections) {
    CompletableFuture<Void> done = new CompletableFuture<>();
    Thread.ofPlatform()
        .daemon()
        .start(() -> {
          try {
            for (Old one : connections) {
              try (SocketChannel channel = listener.accept()) {
                one.talk(
                    new BufferedReader(Channels.newReader(channel, StandardCharsets.UTF_8)),
                    channel);
              }
            }
            done.complete(null);
          } catch (IOException | AssertionError e) {
            done.completeExceptionally(e);
          }
        });
    return done;
  }

  private static void say(SocketChannel out, String line) throws IOException {
    out.write(ByteBuffer.wrap((line + "\n").getBytes(StandardCharsets.UTF_8)));
  }

  private static void await(CompletableFuture<Void> done)
      throws InterruptedException, ExecutionException, TimeoutException {
    done.get(60, TimeUnit.SECONDS);
  }

  private Takeover begin() throws IOException {
    return Takeover.begin(kernel, path(), TIMES);
  }

  @Test
  void itIsAskedAndToldInTheNewestVersion() throws Exception {
    CompletableFuture<Void> old =
        old((in, out) -> {
          assertThat(in.readLine()).isEqualTo("takeover 2");
          say(out, "drained shop");
          say(out, "end");
          assertThat(in.readLine()).isEqualTo("ready admin");
          say(out, "taken");
          assertThat(in.readLine()).isEqualTo("accepting");
        });
    try (Takeover takeover = begin()) {
      assertThat(takeover.takeSockets().drained()).containsExactly("shop");
      takeover.awaitTaken(Set.of(), true);
      assertThat(takeover.accepting()).isTrue();
    }
    await(old);
  }

  @Test
  void anOlderProxyIsAskedInItsVersion() throws Exception {
    CompletableFuture<Void> old =
        old(
            (in, out) ->
                say(out, "error this proxy knows version 1 of the takeover: restart it instead"),
            (in, out) -> {
              assertThat(in.readLine()).isEqualTo("takeover 1");
              say(out, "end");
              assertThat(in.readLine()).isEqualTo("ready");
              say(out, "taken");
            });
    try (Takeover takeover = begin()) {
      takeover.awaitTaken(Set.of(), false);
      assertThat(takeover.accepting()).isTrue();
    }
    await(old);
  }

  @Test
  void anOlderProxyThatHangsOnceItWasToldIsReplaced() throws Exception {
    CompletableFuture<Void> hangs = new CompletableFuture<>();
    var _ =
        old(
            (in, out) ->
                say(out, "error this proxy knows version 1 of the takeover: restart it instead"),
            (in, out) -> {
              say(out, "end");
              hangs.join();
            });
    try (Takeover takeover = begin()) {
      takeover.awaitTaken(Set.of(), false);
    } finally {
      hangs.complete(null);
    }
  }

  @Test
  void anOldOneThatIsTooLateCanNoLongerLetGo() throws Exception {
    CompletableFuture<Void> late = new CompletableFuture<>();
    CompletableFuture<Void> old =
        old((in, out) -> {
          say(out, "end");
          late.join();
          assertThatThrownBy(() -> say(out, "taken")).isInstanceOf(IOException.class);
        });
    try (Takeover takeover = begin()) {
      assertThatThrownBy(() -> takeover.awaitTaken(Set.of(), true))
          .hasMessageStartingWith("the takeover took longer than 300 ms, and this process ends")
          .hasMessageContaining("accepted nothing")
          .hasMessageContaining("process " + ProcessHandle.current().pid() + ") goes on");
      // The connection is still open: the kernel refuses what comes too late.
      late.complete(null);
      await(old);
    }
  }

  @Test
  void anOldOneThatDoesNotAnswerIsNamed() {
    CompletableFuture<Void> hangs = new CompletableFuture<>();
    var _ = old((in, out) -> hangs.join());
    assertThatThrownBy(this::begin)
        .hasMessageStartingWith(
            "the running proxy (process "
                + ProcessHandle.current().pid()
                + ") does not answer within 300 ms");
    hangs.complete(null);
  }

  @Test
  void everyOtherEndHasItsOwnMessage() {
    var _ = old((in, out) -> say(out, "error busy: try again"));
    assertThatThrownBy(this::begin).hasMessage("the running proxy refuses: busy: try again");
    var _ = old((in, out) -> say(out, "hello\u0007"));
    assertThatThrownBy(this::begin)
        .hasMessageContaining("not in the protocol: \"hello?\"; it goes on: restart it instead");
    var _ = old((in, out) -> say(out, "socket 127.0.0.1:80"));
    assertThatThrownBy(this::begin).hasMessageContaining("sent no descriptor; it goes on");
  }

  @Test
  void anOldOneCannotFillTheMemory() {
    StringBuilder names = new StringBuilder();
    for (int i = 0; i <= 100_000; i++) {
      names.append("drained ").append(i).append('\n');
    }
    var _ = old((in, out) -> say(out, names + "end"));
    // A hundred thousand lines take their time on a busy machine.
    assertThatThrownBy(() -> Takeover.begin(kernel, path(), TakeoverTimes.STANDARD))
        .hasMessageContaining("over 100000 drained backends");
  }

  @Test
  void anOldOneThatBreaksOffAndLivesGoesOn() {
    var _ = old((in, out) -> in.readLine());
    assertThatThrownBy(this::begin)
        .hasMessageContaining("broke the takeover off without a word; it goes on");
  }

  @Test
  void whoeverIsRefusedOnceReadyIsToldWhy() throws Exception {
    var _ =
        old((in, out) -> {
          say(out, "end");
          say(out, "error the takeover was given up: it was not ready within 9 s");
        });
    try (Takeover takeover = begin()) {
      assertThatThrownBy(() -> takeover.awaitTaken(Set.of(), true))
          .hasMessage(
              "the running proxy refuses: the takeover was given up: it was not ready within 9 s");
    }
  }

  @Test
  void aSignalEndsTheWait() throws Exception {
    CompletableFuture<Void> hangs = new CompletableFuture<>();
    var _ =
        old((in, out) -> {
          say(out, "end");
          hangs.join();
        });
    TakeoverTimes patient = new TakeoverTimes(Duration.ofSeconds(60), Duration.ofSeconds(50));
    try (Takeover takeover = Takeover.begin(kernel, path(), patient)) {
      Thread.ofPlatform().daemon().start(takeover::cancel);
      assertThatThrownBy(() -> takeover.awaitTaken(Set.of(), true))
          .hasMessage("stopped by a signal before it served");
    }
    hangs.complete(null);
  }
}
