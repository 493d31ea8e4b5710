package dev.peekpass.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/** A classic BPF program for seccomp(2), as the kernel takes it. */
public final class SeccompFilter {
  /** BPF_MAXINSNS, linux/bpf_common.h. */
  public static final int MAX_INSTRUCTIONS = 4096;

  private final MemorySegment instructions;
  private final MemorySegment program;

  /**
   * One instruction, {@code struct sock_filter} of linux/filter.h.
   *
   * @param code what it does
   * @param jumpTrue how many instructions to skip when it holds, 0 to 255
   * @param jumpFalse how many when not
   * @param operand its constant
   */
  public record Instruction(int code, int jumpTrue, int jumpFalse, int operand) {}

  /**
   * Lays a program out.
   *
   * @param program 1 to {@value #MAX_INSTRUCTIONS} instructions
   */
  public SeccompFilter(List<Instruction> program) {
    Arena arena = Arena.ofAuto();
    instructions = arena.allocate(Layouts.SOCK_FILTER, program.size());
    ByteBuffer into = instructions.asByteBuffer().order(ByteOrder.nativeOrder());
    for (Instruction one : program) {
      into.putShort((short) one.code());
      into.put((byte) one.jumpTrue()).put((byte) one.jumpFalse()).putInt(one.operand());
    }
    this.program = arena.allocate(Layouts.SOCK_FPROG);
    ByteBuffer header = this.program.asByteBuffer().order(ByteOrder.nativeOrder());
    header.putShort((int) Layouts.offset(Layouts.SOCK_FPROG, "len"), (short) program.size());
    header.putLong((int) Layouts.offset(Layouts.SOCK_FPROG, "filter"), instructions.address());
  }

  /** Where the {@code sock_fprog} stands. */
  long address() {
    return program.address();
  }
}
