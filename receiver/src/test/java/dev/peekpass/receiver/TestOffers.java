package dev.peekpass.receiver;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.Message;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.linux.SharedWords;
import dev.peekpass.wire.ClaimWord;
import dev.peekpass.wire.FromReceiver;
import dev.peekpass.wire.HandOff;
import dev.peekpass.wire.OfferWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** A proxy's side of the acknowledged hand-off, which does what a test tells it, right or wrong. */
public final class TestOffers {
  static final int WORDS = 64;
  static final int SEALS = Linux.F_SEAL_SHRINK | Linux.F_SEAL_GROW | Linux.F_SEAL_SEAL;

  public final FromReceiver view = new FromReceiver();
  private final TestProxy proxy;
  private final Kernel kernel;
  private final Message message = new Message(HandOff.MAX_MESSAGE_BYTES + 64, Linux.SCM_MAX_FD);
  private final OfferWriter writer = new OfferWriter(message.payload());
  private final NativeBuffer in = new NativeBuffer(64);
  final Fd channel;
  @Nullable SharedWords words;
  long next;

  /** What is said of the connections that are offered. */
  public boolean offeredBefore;

  /** Connects. */
  public TestOffers(TestProxy proxy, Path path) {
    this.proxy = proxy;
    kernel = proxy.kernel;
    channel = proxy.connect(path, SocketType.ACKNOWLEDGED);
  }

  /** Waits for the receiver's next message, which somebody in accept() must send. */
  public FromReceiver.Kind read() {
    int n = kernel.recv(channel, in, 0, in.capacity(), 0);
    assertThat(n).as("a message").isPositive();
    return view.parse(in.bytes(), n);
  }

  /** Whether the receiver has sent something, or ended the channel. */
  public boolean isReadable() {
    return kernel.recv(channel, in, 0, in.capacity(), Linux.MSG_PEEK | Linux.MSG_DONTWAIT)
        != -Errno.EAGAIN;
  }

  /** Whether the receiver has ended the channel; waits until it has or sends something. */
  public boolean isEnded() {
    int n = kernel.recv(channel, in, 0, in.capacity(), 0);
    return n == 0 || n == -Errno.ECONNRESET;
  }

  /** Says hello, with a page or without. */
  public TestOffers greet(boolean page) {
    if (page) {
      Fd memory = memory(WORDS * Long.BYTES, SEALS);
      words = new SharedWords(WORDS);
      assertThat(kernel.mmap(memory, words)).isZero();
      hello(1, WORDS, memory);
    } else {
      hello(1, 0);
    }
    return this;
  }

  Fd memory(int bytes, int seals) {
    Fd memory = proxy.own(kernel.memfdCreate(Linux.MFD_CLOEXEC | Linux.MFD_ALLOW_SEALING));
    assertThat(kernel.ftruncate(memory, bytes)).isZero();
    assertThat(kernel.fcntl(memory, Linux.F_ADD_SEALS, seals)).isZero();
    return memory;
  }

  void hello(int version, int wordCount, Fd... descriptors) {
    send(OfferWriter.writeHello(message.payload(), version, wordCount), descriptors);
  }

  /** Offers connections as the proxy does. */
  public void offer(Fd... connections) {
    SharedWords shared = words;
    for (int i = 0; i < connections.length && shared != null; i++) {
      shared.set((int) ((next + i) % WORDS), ClaimWord.offered(next + i));
    }
    offer(next, connections.length, connections);
    next += connections.length;
  }

  /** Offers with any first number and count, right or wrong. */
  void offer(long first, int count, Fd... connections) {
    writer.begin(first);
    for (int i = 0; i < count; i++) {
      writer.beginConnection();
      writer.serverName("shop.example".getBytes(StandardCharsets.US_ASCII), 12);
      writer.routeLine(i + 1);
      if (offeredBefore) {
        writer.offeredBefore();
      }
      writer.endConnection();
    }
    send(writer.length(), connections);
  }

  void sendBytes(byte[] bytes, Fd... descriptors) {
    message.payload().put(0, bytes);
    send(bytes.length, descriptors);
  }

  private void send(int length, Fd... descriptors) {
    message.beginSend(length);
    for (Fd fd : descriptors) {
      message.add(fd);
    }
    assertThat(kernel.sendmsg(channel, message, Linux.MSG_NOSIGNAL)).isEqualTo(length);
  }

  /** Takes a connection back. */
  public boolean revoke(long number) {
    SharedWords shared = Objects.requireNonNull(words);
    return shared.compareAndSet(
        (int) (number % WORDS), ClaimWord.offered(number), ClaimWord.revoked(number));
  }

  public void close() {
    proxy.close(channel);
    SharedWords shared = words;
    if (shared != null) {
      words = null;
      kernel.munmap(shared);
    }
  }
}
