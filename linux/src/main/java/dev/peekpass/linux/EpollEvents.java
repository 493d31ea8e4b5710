package dev.peekpass.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** The array of {@code epoll_event} that epoll_wait(2) fills, reused from call to call. */
public final class EpollEvents {
  private static final long SIZE = Layouts.EPOLL_EVENT.byteSize();
  private static final long DATA = Layouts.offset(Layouts.EPOLL_EVENT, "data");

  private final MemorySegment memory;
  private final int capacity;

  /**
   * Allocates the array.
   *
   * @param capacity the most events that one call reports, at least 1
   */
  public EpollEvents(int capacity) {
    this.capacity = capacity;
    memory = Arena.ofAuto().allocate(SIZE * capacity, 8);
  }

  /** The most events that one call reports. */
  public int capacity() {
    return capacity;
  }

  /**
   * The events of one entry, {@code EPOLL…} bits.
   *
   * @param index from 0 to the count that epoll_wait returned, exclusive
   */
  public int events(int index) {
    return memory.get(JAVA_INT_UNALIGNED, SIZE * index);
  }

  /** The value that epoll_ctl was given for one entry's descriptor. */
  public long data(int index) {
    return memory.get(JAVA_LONG_UNALIGNED, SIZE * index + DATA);
  }

  /** Writes an entry: for epoll_ctl, and for kernels that are simulated. */
  public void set(int index, int events, long data) {
    memory.set(JAVA_INT_UNALIGNED, SIZE * index, events);
    memory.set(JAVA_LONG_UNALIGNED, SIZE * index + DATA, data);
  }

  /** Where the array begins. */
  long address() {
    return memory.address();
  }
}
