package dev.peekpass.receiver;

import com.sun.net.httpserver.Filter;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpsExchange;
import java.io.IOException;
import java.util.List;
import javax.net.ssl.ExtendedSSLSession;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SNIServerName;
import org.jspecify.annotations.Nullable;

/**
 * Answers misdirected requests to the JDK's own {@code HttpServer} with 421.
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
    if (names.isMisdirected(authority(exchange), serverName(exchange))) {
      // Closing reads what is left of the request, so that the connection can go on.
      try (exchange) {
        exchange.sendResponseHeaders(ServedNames.MISDIRECTED_REQUEST, NO_BODY);
      }
      return;
    }
    chain.doFilter(exchange);
  }

  /** RFC 9112 section 3.2.2: the target's authority, where it has one, goes before Host. */
  private static @Nullable String authority(HttpExchange exchange) {
    String target = exchange.getRequestURI().getRawAuthority();
    return target != null ? target : exchange.getRequestHeaders().getFirst("Host");
  }

  private static @Nullable String serverName(HttpExchange exchange) {
    if (exchange instanceof HttpsExchange https
        && https.getSSLSession() instanceof ExtendedSSLSession session) {
      List<SNIServerName> requested = session.getRequestedServerNames();
      if (!requested.isEmpty() && requested.getFirst() instanceof SNIHostName host) {
        return host.getAsciiName();
      }
    }
    return null;
  }

  @Override
  public String description() {
    return "421 for names other than " + names;
  }
}
