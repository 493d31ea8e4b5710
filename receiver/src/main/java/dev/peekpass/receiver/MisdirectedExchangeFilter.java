package dev.peekpass.receiver;

import com.sun.net.httpserver.Filter;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpsExchange;
import java.io.IOException;
import java.net.URI;
import java.util.List;
import java.util.OptionalInt;
import javax.net.ssl.ExtendedSSLSession;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SNIServerName;
import org.jspecify.annotations.Nullable;

/**
 * Answers misdirected requests to the JDK's own {@code HttpServer} with 421, and those with several
 * Host fields with 400.
 *
 * {@snippet lang = java:
 * server.createContext("/", handler)
 *     .getFilters()
 *     .add(new MisdirectedExchangeFilter(ServedNames.of("shop.example.com")));
 * }
 */
public final class MisdirectedExchangeFilter extends Filter {
  private static final int NO_BODY = -1;

  private final ServedNames names;

  /** Lets requests for these names through. */
  public MisdirectedExchangeFilter(ServedNames names) {
    this.names = names;
  }

  @Override
  public void doFilter(HttpExchange exchange, Chain chain) throws IOException {
    OptionalInt refusal = refusal(exchange);
    if (refusal.isEmpty()) {
      chain.doFilter(exchange);
      return;
    }
    // Closing reads what is left of the request, so that the connection can go on.
    try (exchange) {
      exchange.sendResponseHeaders(refusal.getAsInt(), NO_BODY);
    }
  }

  private OptionalInt refusal(HttpExchange exchange) {
    String serverName = serverName(exchange);
    URI target = exchange.getRequestURI();
    OptionalInt refusal =
        names.refusal(
            exchange.getRequestMethod(),
            target.toString(),
            exchange.getRequestHeaders().getOrDefault("Host", List.of()),
            serverName);
    // This server's URI takes what follows the two slashes of GET //name/ for an authority, and so
    // may the handler.
    return refusal.isEmpty() && names.isMisdirected(target.getRawAuthority(), serverName)
        ? OptionalInt.of(ServedNames.MISDIRECTED_REQUEST)
        : refusal;
  }

  /** Null without TLS. */
  private static @Nullable String serverName(HttpExchange exchange) {
    if (!(exchange instanceof HttpsExchange https)) {
      return null;
    }
    if (https.getSSLSession() instanceof ExtendedSSLSession session) {
      List<SNIServerName> requested = session.getRequestedServerNames();
      if (!requested.isEmpty() && requested.getFirst() instanceof SNIHostName host) {
        return host.getAsciiName();
      }
    }
    return ServedNames.NO_SERVER_NAME;
  }

  @Override
  public String description() {
    return "421 for names other than " + names;
  }
}
