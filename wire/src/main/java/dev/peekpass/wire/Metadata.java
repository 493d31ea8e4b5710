package dev.peekpass.wire;

import dev.peekpass.wire.ProxyHeader.Endpoint;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a proxy says about a connection that it hands off. All of it comes from the proxy and, but
 * for the listener and the route, from the client: a receiver that needs to be sure looks for
 * itself.
 *
 * @param listener the address of the listener that accepted it; empty when not told
 * @param routeLine the line of the route that won, in the proxy's configuration; 0 for the fallback
 * @param protocol {@code tls}, {@code http}, {@code h2}, or empty
 * @param serverName the host that was named, in lower case and without a trailing dot, or empty
 * @param alpn the protocols offered by ALPN, in order of preference
 * @param source who the client is by a PROXY header; null where there was none
 * @param destination what the client connected to by a PROXY header; null where there was none
 * @param offeredBefore whether another receiver was offered it first, which may hold a copy of the
 *     descriptor while it hangs: then close(2) ends nothing, and shutdown(2) does
 */
public record Metadata(
    String listener,
    int routeLine,
    String protocol,
    String serverName,
    List<String> alpn,
    @Nullable Endpoint source,
    @Nullable Endpoint destination,
    boolean offeredBefore) {

  /** What is known where nothing is told. */
  public static final Metadata NONE = new Metadata("", 0, "", "", List.of(), null, null, false);

  /** Copies the list. */
  public Metadata {
    alpn = List.copyOf(alpn);
  }
}
