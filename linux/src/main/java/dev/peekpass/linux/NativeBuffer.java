package dev.peekpass.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/** Memory outside the heap that system calls read and write. Freed by the garbage collector. */
public final class NativeBuffer {
  private final MemorySegment segment;
  private final ByteBuffer bytes;

  /**
   * Allocates zeroed memory.
   *
   * @param capacityBytes its size, at least 1
   */
  public NativeBuffer(int capacityBytes) {
    segment = Arena.ofAuto().allocate(capacityBytes, 64);
    bytes = segment.asByteBuffer();
  }

  /** The whole memory; always the same object, whose position and limit callers leave alone. */
  public ByteBuffer bytes() {
    return bytes;
  }

  /** Its size in bytes. */
  public int capacity() {
    return bytes.capacity();
  }

  /** The address of one byte, checked to have {@code length} bytes behind it. */
  long address(int offset, int length) {
    java.util.Objects.checkFromIndexSize(offset, length, capacity());
    return segment.address() + offset;
  }
}
