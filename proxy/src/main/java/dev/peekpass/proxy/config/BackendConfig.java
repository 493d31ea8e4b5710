package dev.peekpass.proxy.config;

import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * One entry of {@code backends}.
 *
 * @param name unique, 1 to 64 letters, digits, dots, hyphens and underscores
 * @param socketPaths absolute paths of its UNIX sockets, at least one, each at most 107 bytes
 *     (unix(7))
 * @param method how connections are handed to it
 * @param handOffTimeout from a routed connection to its hand-off, 1 ms to 5 minutes
 * @param ackTimeout from an acknowledged hand-off to its ack, 10 ms to 1 minute
 * @param maxQueue how many connections may wait while its sockets are full, 0 to 1048576
 * @param batch how many connections one message may carry, 1 to 253
 * @param balance which of several sockets is next
 * @param slowStart how long the share of a socket that has come back grows; zero: not at all
 * @param maxUnreceived how many messages a receiver may leave unreceived by a plain method; 0: as
 *     many as the kernel lets it
 * @param backup the backend that gets its connections while none of its receivers is there
 * @param probe how to find out whether receivers that do not acknowledge do their work
 * @param trust whose receivers do nothing to the proxy on purpose
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
    Balance balance,
    Duration slowStart,
    int maxUnreceived,
    Optional<String> backup,
    Optional<ProbeConfig> probe,
    Trust trust,
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
        name,
        socketPaths,
        method,
        handOffTimeout,
        ackTimeout,
        maxQueue,
        batch,
        balance,
        slowStart,
        maxUnreceived,
        backup,
        probe,
        trust,
        newIndex,
        newLine);
  }
}
