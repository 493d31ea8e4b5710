package dev.peekpass.proxy.config;

import dev.peekpass.proxy.route.IpAddress;
import dev.peekpass.proxy.route.Quotation;
import dev.peekpass.proxy.route.Reading;
import java.util.Optional;

/**
 * An address to listen on.
 *
 * @param address {@code ::} is every address, IPv4 too unless the listener is {@code ipv6-only}
 * @param port 0 to 65535; 0 lets the kernel choose
 */
public record BindAddress(IpAddress address, int port) {
  private static final IpAddress ANY = new IpAddress(0, 0);

  /**
   * Reads {@code ADDRESS:PORT} with an IPv6 address in brackets; {@code *} for the address is the
   * same as {@code [::]}. Names and zones are refused: nothing is resolved.
   */
  public static Reading<BindAddress> parse(String text) {
    int colon = text.lastIndexOf(':');
    String quoted = Quotation.of(text);
    if (colon < 0 || text.endsWith("]")) {
      String port = text.matches("\\d{1,5}") ? text : "443";
      return new Reading.Bad<>(
          quoted + " is not ADDRESS:PORT", "write \"[::]:" + port + "\", or an address for [::]");
    }
    String host = text.substring(0, colon);
    int port = port(text.substring(colon + 1));
    if (port < 0) {
      return new Reading.Bad<>(
          Quotation.of(text.substring(colon + 1)) + " is not a port",
          "write a number from 0 to 65535 behind the last colon");
    }
    if (host.equals("*")) {
      return new Reading.Good<>(new BindAddress(ANY, port));
    }
    if (host.indexOf('%') >= 0) {
      return new Reading.Bad<>(
          quoted + " has a zone, which is not supported by this version",
          "write an address without %");
    }
    boolean bracketed = host.startsWith("[") && host.endsWith("]");
    String literal = bracketed ? host.substring(1, host.length() - 1) : host;
    Optional<IpAddress> address = IpAddress.parse(literal);
    if (address.isEmpty()) {
      return new Reading.Bad<>(
          quoted + " has no IP address",
          "write an address, like \"127.0.0.1:" + port + "\", names are not resolved");
    }
    if (bracketed != (literal.indexOf(':') >= 0)) {
      return new Reading.Bad<>(
          quoted + (bracketed ? " has brackets around IPv4" : " has IPv6 without brackets"),
          bracketed
              ? "write \"" + literal + ":" + port + "\""
              : "write \"[ADDRESS]:PORT\" in quotes");
    }
    return new Reading.Good<>(new BindAddress(address.get(), port));
  }

  private static int port(String text) {
    if (text.isEmpty() || text.length() > 5 || !text.chars().allMatch(c -> c >= '0' && c <= '9')) {
      return -1;
    }
    int port = Integer.parseInt(text);
    return port <= 65535 ? port : -1;
  }

  /** {@code ADDRESS:PORT} as in a configuration. */
  @Override
  public String toString() {
    return (address.isIpv4() ? address.toString() : "[" + address + "]") + ":" + port;
  }
}
