package dev.peekpass.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/**
 * 64-bit words that two processes share: what {@link Kernel#mmap} maps. Any number of threads and
 * processes may use a word at once; to unmap it while another thread uses it would end the process,
 * so whoever unmaps is the only user.
 */
public final class SharedWords {
  private static final VarHandle WORD = JAVA_LONG.varHandle();

  private final int count;
  private MemorySegment memory = MemorySegment.NULL;

  /** Keeps ordinary memory from the garbage collector. */
  @SuppressWarnings("unused")
  private @Nullable NativeBuffer kept;

  /**
   * Words that are nowhere yet.
   *
   * @param count how many, at least 1
   */
  public SharedWords(int count) {
    this.count = count;
  }

  /** How many words there are. */
  public int count() {
    return count;
  }

  /** How many bytes they take. */
  public int bytes() {
    return count * Long.BYTES;
  }

  /** Reads a word, and sees what was written before it was. */
  public long get(int index) {
    return (long) WORD.getAcquire(memory, offset(index));
  }

  /** Writes a word, before anything that follows. */
  public void set(int index, long value) {
    WORD.setVolatile(memory, offset(index), value);
  }

  /** Writes a word if it has the expected value, in one step; returns whether it had. */
  public boolean compareAndSet(int index, long expected, long value) {
    return (boolean) WORD.compareAndSet(memory, offset(index), expected, value);
  }

  /**
   * Lets ordinary memory stand for what mmap(2) gives: for kernels that are simulated. Words over
   * the same memory are shared.
   */
  public void mapOnto(NativeBuffer buffer) {
    kept = buffer;
    mapped(buffer.address(0, bytes()));
  }

  private long offset(int index) {
    return (long) java.util.Objects.checkIndex(index, count) * Long.BYTES;
  }

  @SuppressWarnings("restricted")
  void mapped(long address) {
    memory = MemorySegment.ofAddress(address).reinterpret(bytes());
  }

  /** Forgets where they are, so that a later use throws and does not crash; returns where. */
  public long unmap() {
    long address = memory.address();
    memory = MemorySegment.NULL;
    return address;
  }
}
