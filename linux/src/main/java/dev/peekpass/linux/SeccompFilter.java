package dev.peekpass.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
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
    for (int i = 0; i < program.size(); i++) {
      Instruction one = program.get(i);
      MemorySegment at = instructions.asSlice(i * Layouts.SOCK_FILTER.byteSize());
      at.set(JAVA_SHORT, Layouts.offset(Layouts.SOCK_FILTER, "code"), (short) one.code());
      at.set(JAVA_BYTE, Layouts.offset(Layouts.SOCK_FILTER, "jt"), (byte) one.jumpTrue());
      at.set(JAVA_BYTE, Layouts.offset(Layouts.SOCK_FILTER, "jf"), (byte) one.jumpFalse());
      at.set(JAVA_INT, Layouts.offset(Layouts.SOCK_FILTER, "k"), one.operand());
    }
    this.program = arena.allocate(Layouts.SOCK_FPROG);
    this.program.set(JAVA_SHORT, Layouts.offset(Layouts.SOCK_FPROG, "len"), (short) program.size());
    this.program.set(
        JAVA_LONG, Layouts.offset(Layouts.SOCK_FPROG, "filter"), instructions.address());
  }

  /** Where the {@code sock_fprog} stands. */
  long address() {
    return program.address();
  }
}
