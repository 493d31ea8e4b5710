package dev.peekpass.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/**
 * A message with descriptors beside its bytes, for sendmsg(2) and recvmsg(2): a {@code msghdr} with
 * one {@code iovec} and room for ancillary data, all in one piece of native memory that is reused.
 *
 * <pre>{@code
 * msghdr ──msg_iov──────> iovec ──> payload
 *        ──msg_control──> cmsghdr { SOL_SOCKET, SCM_RIGHTS } descriptor, descriptor, …
 *                         cmsghdr { SOL_SOCKET, SCM_CREDENTIALS } ucred      (received only)
 * }</pre>
 */
public final class Message {
  private static final long IOV_LEN = Layouts.offset(Layouts.IOVEC, "iov_len");
  private static final long MSG_CONTROLLEN = Layouts.offset(Layouts.MSGHDR, "msg_controllen");
  private static final long MSG_CONTROL = Layouts.offset(Layouts.MSGHDR, "msg_control");
  private static final long MSG_FLAGS = Layouts.offset(Layouts.MSGHDR, "msg_flags");
  private static final long CMSG_LEN = Layouts.offset(Layouts.CMSGHDR, "cmsg_len");
  private static final long CMSG_LEVEL = Layouts.offset(Layouts.CMSGHDR, "cmsg_level");
  private static final long CMSG_TYPE = Layouts.offset(Layouts.CMSGHDR, "cmsg_type");
  private static final long CMSG_DATA = Layouts.CMSGHDR.byteSize();
  private static final long UCRED_PID = Layouts.offset(Layouts.UCRED, "pid");
  private static final long UCRED_UID = Layouts.offset(Layouts.UCRED, "uid");

  /** What an end that sends no credentials has for pid and uid. */
  private static final int UNKNOWN = -1;

  private final MemorySegment header;
  private final MemorySegment iovec;
  private final MemorySegment control;
  private final NativeBuffer payload;
  private final int maxDescriptors;
  private final int[] descriptors;
  private int descriptorCount;
  private int senderPid = UNKNOWN;
  private int senderUid = UNKNOWN;

  /**
   * Allocates a message.
   *
   * @param payloadBytes the most bytes it can carry, at least 1
   * @param maxDescriptors the most descriptors it can carry, 1 to {@link Linux#SCM_MAX_FD}
   */
  public Message(int payloadBytes, int maxDescriptors) {
    if (maxDescriptors < 1 || maxDescriptors > Linux.SCM_MAX_FD) {
      throw new IllegalArgumentException("maxDescriptors must be 1 to 253, is " + maxDescriptors);
    }
    this.maxDescriptors = maxDescriptors;
    Arena arena = Arena.ofAuto();
    header = arena.allocate(Layouts.MSGHDR);
    iovec = arena.allocate(Layouts.IOVEC);
    long controlBytes =
        Layouts.cmsgSpace((long) Integer.BYTES * maxDescriptors)
            + Layouts.cmsgSpace(Layouts.UCRED.byteSize());
    control = arena.allocate(controlBytes, 8);
    // The kernel fills whatever room there is with descriptors, padding and unused credentials too.
    descriptors = new int[(int) (controlBytes - CMSG_DATA) / Integer.BYTES];
    payload = new NativeBuffer(payloadBytes);
    header.set(JAVA_LONG, Layouts.offset(Layouts.MSGHDR, "msg_iov"), iovec.address());
    header.set(JAVA_LONG, Layouts.offset(Layouts.MSGHDR, "msg_iovlen"), 1);
    iovec.set(JAVA_LONG, Layouts.offset(Layouts.IOVEC, "iov_base"), payload.address(0, 1));
  }

  /** The bytes; always the same object, whose position and limit callers leave alone. */
  public ByteBuffer payload() {
    return payload.bytes();
  }

  /**
   * Makes it a message to send, without descriptors.
   *
   * @param length how many of the payload's first bytes to send
   */
  public void beginSend(int length) {
    java.util.Objects.checkFromIndexSize(0, length, payload.capacity());
    iovec.set(JAVA_LONG, IOV_LEN, length);
    descriptorCount = 0;
    header.set(JAVA_LONG, MSG_CONTROL, 0);
    header.set(JAVA_LONG, MSG_CONTROLLEN, 0);
  }

  /**
   * How many of the payload's first bytes a message to send has: for kernels that are simulated.
   */
  public int sendLength() {
    return (int) iovec.get(JAVA_LONG, IOV_LEN);
  }

  /**
   * Adds a descriptor to a message to send. The message borrows it: sending gives the receiver a
   * duplicate, and the caller goes on owning its own.
   */
  public void add(Fd descriptor) {
    if (descriptorCount == maxDescriptors) {
      throw new IllegalStateException(
          "the message holds " + maxDescriptors + " descriptors already");
    }
    int count = ++descriptorCount;
    descriptors[count - 1] = descriptor.number();
    control.set(JAVA_INT, CMSG_DATA + (long) Integer.BYTES * (count - 1), descriptor.number());
    if (count == 1) {
      control.set(JAVA_INT, CMSG_LEVEL, Linux.SOL_SOCKET);
      control.set(JAVA_INT, CMSG_TYPE, Linux.SCM_RIGHTS);
      header.set(JAVA_LONG, MSG_CONTROL, control.address());
    }
    long data = (long) Integer.BYTES * count;
    control.set(JAVA_LONG, CMSG_LEN, Layouts.cmsgLen(data));
    header.set(JAVA_LONG, MSG_CONTROLLEN, Layouts.cmsgSpace(data));
  }

  /**
   * How many descriptors it holds: added to it, or received with it. A hostile sender can make the
   * kernel install a few more than the maximum given to the constructor; all are counted here.
   */
  public int descriptorCount() {
    return descriptorCount;
  }

  /**
   * A descriptor it holds. A received one belongs to the receiver of the message from then on.
   *
   * @param index from 0 to {@code descriptorCount() - 1}
   */
  public Fd descriptor(int index) {
    java.util.Objects.checkIndex(index, descriptorCount);
    return Fd.of(descriptors[index]);
  }

  /**
   * Whether descriptors were lost on the way in (MSG_CTRUNC): the receiver was at its limit of open
   * descriptors, or more came than there was room for.
   */
  public boolean descriptorsTruncated() {
    return (header.get(JAVA_INT, MSG_FLAGS) & Linux.MSG_CTRUNC) != 0;
  }

  /** The sending process's number, or -1 when the message came without credentials. */
  public int senderPid() {
    return senderPid;
  }

  /** The sending process's user, or -1 when the message came without credentials. */
  public int senderUid() {
    return senderUid;
  }

  /** Gives the whole capacity to recvmsg. */
  void beginReceive() {
    iovec.set(JAVA_LONG, IOV_LEN, payload.capacity());
    header.set(JAVA_LONG, MSG_CONTROL, control.address());
    header.set(JAVA_LONG, MSG_CONTROLLEN, control.byteSize());
    header.set(JAVA_INT, MSG_FLAGS, 0);
    descriptorCount = 0;
    senderPid = UNKNOWN;
    senderUid = UNKNOWN;
  }

  /**
   * Reads what recvmsg left in the control area. Every descriptor the kernel installed must come
   * out here, also the extra one that fits in padding, or it would leak.
   */
  void endReceive() {
    long end = header.get(JAVA_LONG, MSG_CONTROLLEN);
    long at = 0;
    while (at + CMSG_DATA <= end) {
      long length = control.get(JAVA_LONG, at + CMSG_LEN);
      if (length < CMSG_DATA || at + length > end) {
        return;
      }
      if (control.get(JAVA_INT, at + CMSG_LEVEL) == Linux.SOL_SOCKET) {
        readControl(at, control.get(JAVA_INT, at + CMSG_TYPE), length - CMSG_DATA);
      }
      at += Layouts.cmsgAlign(length);
    }
  }

  private void readControl(long at, int type, long dataBytes) {
    if (type == Linux.SCM_RIGHTS) {
      for (long i = 0; i + Integer.BYTES <= dataBytes; i += Integer.BYTES) {
        descriptors[descriptorCount++] = control.get(JAVA_INT, at + CMSG_DATA + i);
      }
    } else if (type == Linux.SCM_CREDENTIALS && dataBytes >= Layouts.UCRED.byteSize()) {
      senderPid = control.get(JAVA_INT, at + CMSG_DATA + UCRED_PID);
      senderUid = control.get(JAVA_INT, at + CMSG_DATA + UCRED_UID);
    }
  }

  /** Where the {@code msghdr} stands. */
  long address() {
    return header.address();
  }
}
