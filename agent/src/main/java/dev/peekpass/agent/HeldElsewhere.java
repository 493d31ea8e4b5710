package dev.peekpass.agent;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.receiver.HandedOff;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/**
 * Connections of which a server that hangs may have a copy in its queue, because they were offered
 * to it first. Closing one here would not end it while that hangs; shutting it down does.
 *
 * @param <K> what a transport knows them by: {@code FileDescriptor}, which is equal to itself only,
 *     or a descriptor's number
 */
final class HeldElsewhere<K> {
  private final Set<K> keys = ConcurrentHashMap.newKeySet();

  /** A server accepts a connection. */
  void accepted(K key, HandedOff connection) {
    if (connection.offeredBefore()) {
      keys.add(key);
    }
  }

  /**
   * A server is about to close a descriptor, one of these or another.
   *
   * @param fd which it is, asked only for these
   */
  void closing(K key, Supplier<Fd> fd) {
    if (!keys.isEmpty() && keys.remove(key)) {
      LinuxKernel.open().shutdown(fd.get(), Linux.SHUT_WR);
    }
  }
}
