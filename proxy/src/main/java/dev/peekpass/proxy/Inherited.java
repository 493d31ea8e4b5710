package dev.peekpass.proxy;

import java.util.List;
import java.util.Set;

/**
 * What a new process has from others.
 *
 * @param sockets listening sockets, to be used where their address is the configuration's
 * @param drained the names of backends that get no new connections
 */
public record Inherited(List<TransferredSocket> sockets, Set<String> drained) {
  /** Nothing. */
  public static final Inherited NOTHING = new Inherited(List.of(), Set.of());

  /** Copies the collections. */
  public Inherited {
    sockets = List.copyOf(sockets);
    drained = Set.copyOf(drained);
  }
}
