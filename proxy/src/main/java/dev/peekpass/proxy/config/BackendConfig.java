package dev.peekpass.proxy.config;

import java.time.Duration;
import java.util.List;

/**
 * One entry of {@code backends}.
 *
 * @param name unique, 1 to 64 letters, digits, dots, hyphens and underscores
 * @param socketPaths absolute paths of its UNIX sockets, at least one, each at most 107 bytes
 *     (unix(7)); connections go to them in turn
 * @param method how connections are handed to it
 * @param handOffTimeout from a routed connection to its hand-off, 1 ms to 5 minutes
 * @param ackTimeout from an acknowledged hand-off to its ack, 10 ms to 1 minute
 * @param maxQueue how many connections may wait while its sockets are full, 0 to 1048576
 * @param batch how many connections one message may carry, 1 to 253
 * @param index its place in the file, from 0
 * @param line its line in the file, from 1
 */
public record BackendConfig(
    String name,
    List<String> socketPaths,
    Method method,
    Duration handOffTimeout,
    Duration ackTimeout,
    int maxQueue,
    int batch,
    int index,
    int line) {

  /** Copies the list. */
  public BackendConfig {
    socketPaths = List.copyOf(socketPaths);
  }

  /** Whether the other says the same, wherever in a file it stands. */
  public boolean isSameAs(BackendConfig other) {
    return equals(other.at(index, line));
  }

  private BackendConfig at(int newIndex, int newLine) {
    return new BackendConfig(
        name, socketPaths, method, handOffTimeout, ackTimeout, maxQueue, batch, newIndex, newLine);
  }
}
