package dev.peekpass.simulation;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.linux.SharedWords;
import org.jspecify.annotations.Nullable;

/** A file of memory (memfd_create(2)). What maps it keeps it, however many descriptors close. */
final class Memory extends OpenFile {
  private @Nullable NativeBuffer bytes;
  private int seals;

  /** Sets its size; returns 0 or -errno. */
  int truncate(int lengthBytes) {
    if (bytes != null) {
      throw new Violation("a page is given its size twice");
    }
    bytes = new NativeBuffer(lengthBytes);
    return 0;
  }

  /** Seals it further; returns 0 or -errno. */
  int seal(int more) {
    if ((seals & Linux.F_SEAL_SEAL) != 0) {
      return -Errno.EPERM;
    }
    seals |= more;
    return 0;
  }

  int seals() {
    return seals;
  }

  int lengthBytes() {
    NativeBuffer there = bytes;
    return there == null ? 0 : there.capacity();
  }

  /** Maps it from its beginning. */
  void map(SharedWords words) {
    NativeBuffer there = bytes;
    if (there == null || there.capacity() < words.bytes()) {
      throw new Violation("more of a page is mapped than there is: using it would be SIGBUS");
    }
    words.mapOnto(there);
  }

  @Override
  int poll() {
    return 0;
  }

  @Override
  void released() {}

  @Override
  public String toString() {
    return "memfd";
  }
}
