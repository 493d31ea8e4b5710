package dev.peekpass.proxy.handoff;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.SharedWords;
import dev.peekpass.wire.ClaimWord;
import org.jspecify.annotations.Nullable;

/**
 * The page that a channel shares with its receiver: a word for each connection that was offered, by
 * which the proxy can take it back and the receiver can know (docs/protocol.md). What is in it is
 * the receiver's to write as well, so nothing is believed but that a compare-and-set of ours won.
 */
public final class Claims {
  private static final int SEALS = Linux.F_SEAL_SHRINK | Linux.F_SEAL_GROW | Linux.F_SEAL_SEAL;

  private final Kernel kernel;
  private final SharedWords words;
  private @Nullable Fd memory;

  private Claims(Kernel kernel, SharedWords words, Fd memory) {
    this.kernel = kernel;
    this.words = words;
    this.memory = memory;
  }

  /** What {@link #make} comes to. */
  public sealed interface Made {
    /** A page; {@link #close} it. */
    record Page(Claims claims) implements Made {}

    /** No page, and nothing left open. */
    record Failed(String call, int errno) implements Made {}
  }

  /**
   * Makes a page of free words.
   *
   * @param count a power of two
   */
  public static Made make(Kernel kernel, int count) {
    int flags = Linux.MFD_CLOEXEC | Linux.MFD_ALLOW_SEALING;
    int r = kernel.memfdCreate(flags | Linux.MFD_NOEXEC_SEAL);
    if (r == -Errno.EINVAL) {
      r = kernel.memfdCreate(flags);
    }
    if (r < 0) {
      return new Made.Failed("memfd_create", -r);
    }
    Fd memory = Fd.of(r);
    boolean made = false;
    try {
      SharedWords words = new SharedWords(count);
      String call = "ftruncate";
      r = kernel.ftruncate(memory, words.bytes());
      if (r >= 0) {
        // The receiver maps it too: whoever could shrink it could end the other (SIGBUS).
        call = "fcntl F_ADD_SEALS";
        r = kernel.fcntl(memory, Linux.F_ADD_SEALS, SEALS);
      }
      if (r >= 0) {
        call = "mmap";
        r = kernel.mmap(memory, words);
      }
      made = r >= 0;
      return made ? new Made.Page(new Claims(kernel, words, memory)) : new Made.Failed(call, -r);
    } finally {
      if (!made) {
        kernel.close(memory);
      }
    }
  }

  /** The memory to send to the receiver; this object's. Asked before {@link #sent}. */
  public Fd memory() {
    Fd open = memory;
    if (open == null) {
      throw new IllegalStateException("the page has been sent");
    }
    return open;
  }

  /** The receiver has its own descriptor of the memory. */
  public void sent() {
    Fd open = memory;
    if (open != null) {
      memory = null;
      kernel.close(open);
    }
  }

  public int count() {
    return words.count();
  }

  /** Lays a connection open for the receiver to claim; before it is sent. */
  public void offer(long number) {
    words.set(index(number), ClaimWord.offered(number));
  }

  /** Takes a connection back; false when the receiver was first, or the word makes no sense. */
  public boolean revoke(long number) {
    return words.compareAndSet(index(number), ClaimWord.offered(number), ClaimWord.revoked(number));
  }

  private int index(long number) {
    return (int) (number & words.count() - 1);
  }

  /** Gives the memory back; the receiver may still use its own mapping. */
  public void close() {
    try {
      sent();
    } finally {
      kernel.munmap(words);
    }
  }
}
