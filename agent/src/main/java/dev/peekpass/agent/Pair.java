package dev.peekpass.agent;

import dev.peekpass.receiver.SocketType;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One pair of the agent's options: an address that the server binds, and where its connections come
 * from instead.
 *
 * @param text as the user wrote it
 * @param hosts the addresses that it names; null for {@code *}, which names all
 * @param port 0 to 65535
 * @param path of the UNIX socket
 * @param type of the UNIX socket
 * @param tcp whether the TCP port shall be open as well
 * @param mode the socket file's permissions as ls(1) shows them, or null for the receiver's default
 * @param owner of the socket file, or null for the process's user
 * @param group of the socket file, or null for the process's
 * @param uids who may hand connections over, beside root and the process's user
 */
record Pair(
    String text,
    @Nullable Set<InetAddress> hosts,
    int port,
    Path path,
    SocketType type,
    boolean tcp,
    @Nullable String mode,
    @Nullable String owner,
    @Nullable String group,
    Set<Integer> uids) {

  Pair {
    hosts = hosts == null ? null : Set.copyOf(hosts);
    uids = Set.copyOf(uids);
  }

  /** Whether it names this address. All wildcards are one: servers write them in many ways. */
  boolean names(InetAddress address, int boundPort) {
    if (port != boundPort) {
      return false;
    }
    return hosts == null
        || hosts.contains(address)
        || (address.isAnyLocalAddress() && hosts.stream().anyMatch(InetAddress::isAnyLocalAddress));
  }

  /** Whether a server could bind an address that both name. */
  boolean overlaps(Pair other) {
    return port == other.port
        && (hosts == null
            || other.hosts == null
            || other.hosts.stream().anyMatch(host -> names(host, port)));
  }
}
