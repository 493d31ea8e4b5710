package dev.peekpass.proxy.handoff;

import dev.peekpass.proxy.connection.Connection;
import dev.peekpass.wire.HostName;
import dev.peekpass.wire.OfferWriter;
import dev.peekpass.wire.Protocol;
import java.nio.charset.StandardCharsets;
import java.util.EnumMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Writes what the proxy knows of a connection beside its descriptor, without allocating. */
final class OfferMetadata {
  private final OfferWriter writer;
  private final byte[] host = new byte[HostName.MAX_BYTES];
  private final Map<Protocol, byte[]> labels = new EnumMap<>(Protocol.class);

  OfferMetadata(OfferWriter writer) {
    this.writer = writer;
    for (Protocol protocol : Protocol.values()) {
      labels.put(protocol, protocol.label().getBytes(StandardCharsets.US_ASCII));
    }
  }

  /** Writes one connection into an offer that has room for it. */
  void write(Connection connection) {
    writer.listener(connection.origin.labelBytes());
    int routeLine = connection.routeLine();
    if (routeLine != 0 && !connection.onFallback) {
      writer.routeLine(routeLine);
    }
    @Nullable Protocol protocol = connection.protocol;
    byte[] label = protocol == null ? null : labels.get(protocol);
    if (label != null) {
      writer.protocol(label);
    }
    writer.serverName(host, connection.copyHost(host));
    writer.alpn(connection.alpnBytes, connection.alpnLength);
    if (connection.offeredBefore) {
      writer.offeredBefore();
    }
    writer.endConnection();
  }
}
