package dev.peekpass.proxy.route;

import dev.peekpass.wire.AlpnList;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** What a route asks of a connection beside its host. Immutable, shared between routes. */
final class Conditions {
  static final Conditions NONE = new Conditions(List.of(), List.of());

  private final List<String> alpn;
  private final byte[][] alpnBytes;
  private final CidrSet from;

  Conditions(List<String> alpn, List<Cidr> from) {
    this.alpn = List.copyOf(alpn);
    this.alpnBytes = new byte[alpn.size()][];
    for (int i = 0; i < alpnBytes.length; i++) {
      alpnBytes[i] = alpn.get(i).getBytes(StandardCharsets.ISO_8859_1);
    }
    this.from = new CidrSet(from);
  }

  List<String> alpn() {
    return alpn;
  }

  List<Cidr> from() {
    return from.blocks();
  }

  /** Whether the client offers one of the protocols; true when none is asked for. */
  boolean alpnHolds(AlpnList offered) {
    for (byte[] name : alpnBytes) {
      if (offered.contains(name)) {
        return true;
      }
    }
    return alpnBytes.length == 0;
  }

  /** Whether the client's address is in one of the blocks; true when none is asked for. */
  boolean fromHolds(long peerHigh, long peerLow) {
    return from.blocks().isEmpty() || from.contains(peerHigh, peerLow);
  }

  boolean hold(AlpnList offered, long peerHigh, long peerLow) {
    return alpnHolds(offered) && fromHolds(peerHigh, peerLow);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Conditions that
        && alpn.equals(that.alpn)
        && from.blocks().equals(that.from.blocks());
  }

  @Override
  public int hashCode() {
    return 31 * alpn.hashCode() + from.blocks().hashCode();
  }
}
