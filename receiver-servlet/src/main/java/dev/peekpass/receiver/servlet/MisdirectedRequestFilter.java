package dev.peekpass.receiver.servlet;

import dev.peekpass.receiver.ServedNames;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpFilter;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.Collections;
import java.util.List;
import java.util.OptionalInt;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Answers misdirected requests with 421, and those with several Host fields with 400. Map it to
 * {@code /*}, before all other filters; in Spring Boot a bean is enough:
 *
 * {@snippet lang = java:
 * @Bean
 * MisdirectedRequestFilter misdirected() {
 *   return new MisdirectedRequestFilter(ServedNames.of("shop.example.com"));
 * }
 * }
 *
 * <p>It believes {@code getServerName()}. A container that is told to take that from a Forwarded or
 * X-Forwarded-Host field lets clients choose it: nothing stands between them and a backend of this
 * proxy, so leave that off.
 */
public final class MisdirectedRequestFilter extends HttpFilter {
  private static final long serialVersionUID = 1L;

  private final transient ServedNames names;
  private final transient Function<HttpServletRequest, @Nullable String> serverNames;

  /**
   * Lets requests for these names through.
   *
   * @throws IllegalArgumentException when the names ask for that of the TLS handshake, which the
   *     servlet API does not tell
   */
  public MisdirectedRequestFilter(ServedNames names) {
    this(names, request -> null);
    if (names.needsTheHandshake()) {
      throw new IllegalArgumentException(
          "onlyTheNameOfTheHandshake() needs the server name of TLS, which the servlet API does not"
              + " tell: use the constructor that is told where your container has it");
    }
  }

  /**
   * Lets requests for these names through.
   *
   * @param serverNames gives the server name (SNI) of a request's TLS handshake; null or {@link
   *     ServedNames#NO_SERVER_NAME} where that had none. For requests without TLS, those of which
   *     {@code isSecure()} is false, it gives null
   */
  public MisdirectedRequestFilter(
      ServedNames names, Function<HttpServletRequest, @Nullable String> serverNames) {
    this.names = names;
    this.serverNames = serverNames;
  }

  @Override
  protected void doFilter(
      HttpServletRequest request, HttpServletResponse response, FilterChain chain)
      throws IOException, ServletException {
    OptionalInt refusal = refusal(request, serverName(request));
    if (refusal.isPresent()) {
      response.sendError(refusal.getAsInt());
      return;
    }
    chain.doFilter(request, response);
  }

  /** Null without TLS. */
  private @Nullable String serverName(HttpServletRequest request) {
    String name = serverNames.apply(request);
    return name == null && request.isSecure() ? ServedNames.NO_SERVER_NAME : name;
  }

  private OptionalInt refusal(HttpServletRequest request, @Nullable String serverName) {
    List<String> hosts = Collections.list(request.getHeaders("Host"));
    if (hosts.stream().allMatch(String::isBlank) && hosts.size() < 2 && namesNobody(request)) {
      return OptionalInt.empty();
    }
    // Containers differ in whether the target or Host goes into which of these: all must be served.
    OptionalInt refusal =
        names.refusal("GET", request.getRequestURL().toString(), hosts, serverName);
    return refusal.isEmpty() && names.isMisdirected(request.getServerName(), serverName)
        ? OptionalInt.of(ServedNames.MISDIRECTED_REQUEST)
        : refusal;
  }

  /** Where a request names nobody, getServerName() is the machine's own name or address. */
  private static boolean namesNobody(HttpServletRequest request) {
    String name = request.getServerName();
    String address = request.getLocalAddr();
    return name == null
        || name.isEmpty()
        || name.equals(request.getLocalName())
        || name.equals(address)
        || name.equals("[" + address + "]");
  }
}
