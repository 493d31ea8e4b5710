package dev.peekpass.proxy.admin;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.Message;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.linux.SystemCallException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.locks.LockSupport;

/**
 * One end of a connection over the admin socket: lines of text, and descriptors beside them, with a
 * deadline for all of it. For one thread.
 */
final class AdminStream implements AutoCloseable {
  private static final int CHUNK_BYTES = 4096;
  private static final int DESCRIPTORS_A_MESSAGE = 4;
  private static final long SHORTAGE_NANOS = 5_000_000;
  private static final long NANOS_A_MILLI = 1_000_000;

  /** The time is up. */
  static final class LateException extends IOException {
    private static final long serialVersionUID = 1L;

    LateException() {
      super(
          "the proxy does not answer in time: it is stopped or hangs: look at its log, or end it");
    }
  }

  private final Kernel kernel;
  private final Fd socket;
  private final Message message = new Message(CHUNK_BYTES, DESCRIPTORS_A_MESSAGE);
  private final NativeBuffer chunk = new NativeBuffer(CHUNK_BYTES);
  private final boolean takesDescriptors;
  private final Queue<Fd> descriptors = new ArrayDeque<>();
  private final LineBuffer read = new LineBuffer();
  private long deadlineNanos;
  private boolean ended;

  /**
   * Takes a connection over.
   *
   * @param socket non-blocking; closed with this object, and the caller's still when this throws
   * @param takesDescriptors whether descriptors may come; else the kernel drops them
   */
  AdminStream(Kernel kernel, Fd socket, boolean takesDescriptors) {
    this.kernel = kernel;
    this.socket = socket;
    this.takesDescriptors = takesDescriptors;
  }

  /** Gives everything from now on so much time, all in all. */
  void within(long millis) {
    deadlineNanos = kernel.nanoTime() + millis * NANOS_A_MILLI;
  }

  /** Until when, by the kernel's clock. */
  long deadlineNanos() {
    return deadlineNanos;
  }

  /** What has come and was not read as a line yet; of text without descriptors. */
  String unread() {
    return read.rest();
  }

  /** Goes on where another object has stopped. */
  void resume(long untilNanos, String unread) {
    deadlineNanos = untilNanos;
    read.addRest(unread);
  }

  /** Sends a line; adds its end. */
  void send(String line) throws IOException {
    byte[] bytes = (line + "\n").getBytes(StandardCharsets.UTF_8);
    for (int sent = 0; sent < bytes.length; ) {
      int length = Math.min(CHUNK_BYTES, bytes.length - sent);
      chunk.bytes().put(0, bytes, sent, length);
      int flags = Linux.MSG_DONTWAIT | Linux.MSG_NOSIGNAL;
      sent += sendUntilTaken(() -> kernel.send(socket, chunk, 0, length, flags));
    }
  }

  /**
   * Sends a line with a descriptor beside it.
   *
   * @param line at most {@value #CHUNK_BYTES} bytes with its end
   * @param descriptor stays the caller's
   */
  void send(String line, Fd descriptor) throws IOException {
    byte[] bytes = (line + "\n").getBytes(StandardCharsets.UTF_8);
    message.payload().put(0, bytes);
    message.beginSend(bytes.length);
    message.add(descriptor);
    int flags = Linux.MSG_DONTWAIT | Linux.MSG_NOSIGNAL;
    int sent = sendUntilTaken(() -> kernel.sendmsg(socket, message, flags));
    if (sent < bytes.length) {
      throw new IOException("sendmsg: a message was cut short");
    }
  }

  private int sendUntilTaken(java.util.function.IntSupplier call) throws IOException {
    while (true) {
      int r = call.getAsInt();
      switch (r < 0 ? -r : 0) {
        case 0 -> {
          return r;
        }
        case Errno.EINTR -> {}
        case Errno.EAGAIN -> await(Linux.POLLOUT);
        case Errno.ETOOMANYREFS, Errno.ENOBUFS, Errno.ENOMEM -> {
          requireTime();
          LockSupport.parkNanos(SHORTAGE_NANOS);
        }
        default -> throw new SystemCallException("sendmsg", -r, "the other end has gone");
      }
    }
  }

  /**
   * Reads a line.
   *
   * @param maxBytes how long it may be
   * @return the line without its end, or empty at the end of the stream
   * @throws LateException when it does not come in time; it may still come later
   * @throws IOException when it is longer or is cut short
   */
  Optional<String> readLine(int maxBytes) throws IOException {
    while (true) {
      String line = read.next(maxBytes);
      if (line != null) {
        return Optional.of(line);
      }
      if (ended) {
        if (!read.isEmpty()) {
          throw new IOException("the last line has no end");
        }
        return Optional.empty();
      }
      receive();
    }
  }

  /**
   * Takes no more from the other end: what it has sent can still be read, and what it sends from
   * here on fails there (EPIPE). Which of the two holds for a line is decided by the kernel, under
   * one lock.
   */
  void refuseMore() {
    kernel.shutdown(socket, Linux.SHUT_RD);
  }

  /** What it talks over; stays this object's. */
  Fd socket() {
    return socket;
  }

  /** The next descriptor that came; owned by the caller from here on. */
  Optional<Fd> takeDescriptor() {
    return Optional.ofNullable(descriptors.poll());
  }

  private void receive() throws IOException {
    int flags = Linux.MSG_DONTWAIT | Linux.MSG_CMSG_CLOEXEC;
    int n =
        takesDescriptors
            ? kernel.recvmsg(socket, message, flags)
            : kernel.recv(socket, chunk, 0, CHUNK_BYTES, Linux.MSG_DONTWAIT);
    if (n == -Errno.EAGAIN || n == -Errno.EINTR) {
      await(Linux.POLLIN);
      return;
    }
    if (n < 0) {
      boolean memory = n == -Errno.ENOMEM || n == -Errno.ENOBUFS;
      throw new SystemCallException(
          "recvmsg", -n, memory ? "free memory" : "the other end has gone");
    }
    if (takesDescriptors) {
      for (int i = 0; i < message.descriptorCount(); i++) {
        descriptors.add(message.descriptor(i));
      }
      if (message.descriptorsTruncated()) {
        throw new SystemCallException(
            "recvmsg", Errno.EMFILE, "raise the limit of open files (ulimit -n, LimitNOFILE=)");
      }
    }
    ended = n == 0;
    read.add(takesDescriptors ? message.payload() : chunk.bytes(), n);
  }

  private void await(int events) throws IOException {
    long millis = (requireTime() + NANOS_A_MILLI - 1) / NANOS_A_MILLI;
    int r = kernel.poll(socket, events, (int) Math.min(millis, Integer.MAX_VALUE));
    if (r < 0 && r != -Errno.EINTR) {
      throw new SystemCallException("poll", -r, "");
    }
  }

  private long requireTime() throws IOException {
    long left = deadlineNanos - kernel.nanoTime();
    if (left <= 0) {
      throw new LateException();
    }
    return left;
  }

  @Override
  public void close() {
    descriptors.forEach(kernel::close);
    descriptors.clear();
    kernel.close(socket);
  }
}
