package dev.peekpass.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A classic BPF program for a socket (socket(7), SO_ATTACH_FILTER; linux/filter.h): it sees each
 * arriving packet from its transport header on, and says how much of it the socket gets.
 */
public final class SocketFilter {
  // linux/bpf_common.h
  private static final int LOAD_BYTE_ABSOLUTE = 0x30;
  private static final int AND_CONSTANT = 0x54;
  private static final int JUMP_IF_EQUAL = 0x15;
  private static final int RETURN_CONSTANT = 0x06;

  private static final int TCP_FLAGS_AT = 13;
  private static final int TCP_SYN = 0x02;
  private static final int TCP_ACK = 0x10;
  private static final int WHOLE_PACKET = -1;

  private final MemorySegment instructions;
  private final MemorySegment program;

  private SocketFilter(int... words) {
    int count = words.length / 4;
    Arena arena = Arena.ofAuto();
    instructions = arena.allocate(Layouts.SOCK_FILTER, count);
    for (int i = 0; i < count; i++) {
      MemorySegment at = instructions.asSlice(i * Layouts.SOCK_FILTER.byteSize());
      at.set(JAVA_SHORT, Layouts.offset(Layouts.SOCK_FILTER, "code"), (short) words[4 * i]);
      at.set(JAVA_BYTE, Layouts.offset(Layouts.SOCK_FILTER, "jt"), (byte) words[4 * i + 1]);
      at.set(JAVA_BYTE, Layouts.offset(Layouts.SOCK_FILTER, "jf"), (byte) words[4 * i + 2]);
      at.set(JAVA_INT, Layouts.offset(Layouts.SOCK_FILTER, "k"), words[4 * i + 3]);
    }
    program = arena.allocate(Layouts.SOCK_FPROG);
    program.set(JAVA_SHORT, Layouts.offset(Layouts.SOCK_FPROG, "len"), (short) count);
    program.set(JAVA_LONG, Layouts.offset(Layouts.SOCK_FPROG, "filter"), instructions.address());
  }

  /**
   * For a TCP listener: drops packets that ask for a new connection, SYN without ACK (RFC 9293
   * section 3.1). Connections already begun come about as before. A client whose SYN is dropped
   * sends it again a second later.
   */
  public static SocketFilter noNewTcpConnections() {
    return new SocketFilter(
        LOAD_BYTE_ABSOLUTE,
        0,
        0,
        TCP_FLAGS_AT,
        AND_CONSTANT,
        0,
        0,
        TCP_SYN | TCP_ACK,
        JUMP_IF_EQUAL,
        0,
        1,
        TCP_SYN,
        RETURN_CONSTANT,
        0,
        0,
        0,
        RETURN_CONSTANT,
        0,
        0,
        WHOLE_PACKET);
  }

  /** Where the {@code sock_fprog} stands. */
  long address() {
    return program.address();
  }
}
