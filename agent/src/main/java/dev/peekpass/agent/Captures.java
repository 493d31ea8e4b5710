package dev.peekpass.agent;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Which listening sockets are captured, by whatever a transport knows them by.
 *
 * @param <K> {@code FileDescriptor}, which is equal to itself only, or a descriptor's number
 */
final class Captures<K> {
  private final List<Pair> pairs;
  private final System.Logger log;
  private final Map<K, CapturedSocket> sockets = new ConcurrentHashMap<>();
  private final Set<InetSocketAddress> nearMisses = ConcurrentHashMap.newKeySet();

  Captures(List<Pair> pairs, System.Logger log) {
    this.pairs = List.copyOf(pairs);
    this.log = log;
  }

  /** The captured socket, or null when there is none. */
  @Nullable CapturedSocket get(K key) {
    return sockets.get(key);
  }

  /** The pair that names an address, or null. Says so when one nearly does. */
  @Nullable Pair match(InetAddress address, int port) {
    Pair near = null;
    for (Pair pair : pairs) {
      if (pair.names(address, port)) {
        return pair;
      }
      if (pair.port() == port && port != 0) {
        near = pair;
      }
    }
    if (near != null && nearMisses.add(new InetSocketAddress(address, port))) {
      log.log(
          System.Logger.Level.WARNING,
          "the server binds "
              + address.getHostAddress()
              + " port "
              + port
              + ", which is left to TCP: the option names another address, "
              + near.text()
              + "; *:"
              + port
              + " would name it");
    }
    return null;
  }

  /** Notes that a server has bound an address; what it had bound before is forgotten. */
  void bound(K key, Pair pair, InetSocketAddress local) {
    CapturedSocket before = sockets.put(key, new CapturedSocket(pair, local, log));
    if (before != null) {
      before.close();
    }
  }

  /** Ends the captured socket, if there is one. */
  void close(K key) {
    CapturedSocket socket = sockets.remove(key);
    if (socket != null) {
      socket.close();
    }
  }
}
