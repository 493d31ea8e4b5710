package dev.peekpass.receiver;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.Message;
import dev.peekpass.linux.NativeBuffer;
import java.nio.ByteBuffer;

/**
 * A message on its way in, and the owner of its descriptors: each is this object's from the moment
 * that the kernel installs it until it is taken or refused, at every line, also while an exception
 * flies.
 *
 * <pre>{@code
 *         peek()            drop(), or receive()
 * empty ────────> peeked ──────────────────────> received ── take() ──> … ──> empty
 *   ^               │ refuseAll(): it is              │ refuseAll()
 *   └───────────────┴─ in the queue as before <───────┘
 * }</pre>
 *
 * <p>What was received waits here until it is asked for: there is no other queue in the process,
 * and no next message before this one is empty.
 */
final class IncomingMessage {
  private final Kernel kernel;
  private final DescriptorRefusal refusal;
  private final Message message;
  private final NativeBuffer dropped;

  /** The first of the message's descriptors that is still this object's. */
  private int next;

  /**
   * Begins empty.
   *
   * @param payloadBytes how many bytes are looked at
   * @param droppedBytes how many bytes {@link #drop} drops at most
   */
  IncomingMessage(Kernel kernel, DescriptorRefusal refusal, int payloadBytes, int droppedBytes) {
    this.kernel = kernel;
    this.refusal = refusal;
    message = new Message(payloadBytes, Linux.SCM_MAX_FD);
    dropped = new NativeBuffer(droppedBytes);
  }

  /**
   * Looks at the first message in a queue, which stays there. Its descriptors come as duplicates:
   * they must be refused unless the message is dropped from the queue.
   *
   * @return how many bytes came, or -errno, with which there are no descriptors
   */
  int peek(Fd from) {
    return recvmsg(from, Linux.MSG_PEEK);
  }

  /** Receives the first message in a queue, as {@link #peek} looks at it. */
  int receive(Fd from) {
    return recvmsg(from, 0);
  }

  private int recvmsg(Fd from, int flags) {
    refuseAll();
    int r = kernel.recvmsg(from, message, flags | Linux.MSG_DONTWAIT | Linux.MSG_CMSG_CLOEXEC);
    next = r < 0 ? message.descriptorCount() : 0;
    return r;
  }

  /**
   * Drops bytes from a queue: of a stream as many as are given, otherwise one message.
   *
   * @return how many bytes were dropped, or -errno
   */
  int drop(Fd from, int bytes) {
    int r;
    do {
      r = kernel.recv(from, dropped, 0, bytes, Linux.MSG_DONTWAIT);
    } while (r == -Errno.EINTR);
    return r;
  }

  /** Its bytes, as many as {@link #peek} has said. */
  ByteBuffer payload() {
    return message.payload();
  }

  /** As of {@link Message#senderUid}. */
  int senderUid() {
    return message.senderUid();
  }

  /** As of {@link Message#senderPid}. */
  int senderPid() {
    return message.senderPid();
  }

  /** Whether some of its descriptors did not fit under the process's limit. */
  boolean isTruncated() {
    return message.descriptorsTruncated();
  }

  /** How many descriptors it has that were neither taken nor refused. */
  int left() {
    return Math.max(0, message.descriptorCount() - next);
  }

  /** Whether no descriptor is left. */
  boolean isEmpty() {
    return left() == 0;
  }

  /** The first descriptor that is left, which goes on being this object's. */
  Fd first() {
    return message.descriptor(next);
  }

  /** Where in the message the first is that is left, from 0 on. */
  int firstIndex() {
    return next;
  }

  /** Gives the first that is left to the caller, who has it by {@link #first}. */
  void take() {
    next++;
  }

  /** Closes the first that is left. */
  void refuseFirst() {
    Fd first = first();
    next++;
    refusal.refuse(first);
  }

  /** Closes the first that is left, which is another's connection now. */
  void leaveFirst() {
    Fd first = first();
    next++;
    refusal.leave(first);
  }

  /** Closes all that are left, of a user that may not hand off. */
  void refuseAllForeign() {
    while (!isEmpty()) {
      Fd first = first();
      next++;
      refusal.refuseForeign(first);
    }
  }

  /** Closes all that are left. */
  void refuseAll() {
    while (!isEmpty()) {
      refuseFirst();
    }
  }
}
