package dev.peekpass.cli.demo;

import java.nio.file.Path;
import java.util.Map;

/** The configuration of the demo's proxy. */
final class DemoConfig {
  private DemoConfig() {}

  /**
   * Writes it.
   *
   * @param httpsPort the port of the first listener, 0 for any free one
   * @param httpPort the port of the second listener, 0 for any free one
   * @param sockets where the backend for each host name is, in order
   */
  static String text(int httpsPort, int httpPort, Map<String, Path> sockets) {
    StringBuilder out = new StringBuilder("# Written by peekpass demo.\n");
    out.append("access-log: true\nlisteners:\n");
    out.append("  - bind: \"127.0.0.1:").append(httpsPort).append("\" # for https\n");
    out.append("  - bind: \"127.0.0.1:").append(httpPort).append("\" # for http\n");
    out.append("backends:\n");
    sockets.forEach((host, socket) ->
        out.append("  %s: { handoff: %s }%n".formatted(label(host), quote("unix:" + socket))));
    out.append("routes:\n");
    sockets.forEach((host, socket) ->
        out.append("  - { host: %s, backend: %s }%n".formatted(host, label(host))));
    return out.append("fallback: { reject: tls-alert }\n").toString();
  }

  /** What a host's backend is called: the first label of its name. */
  static String label(String host) {
    return host.substring(0, host.indexOf('.'));
  }

  // YAML 1.2 section 7.3.1.
  private static String quote(String text) {
    return "\"" + text.replace("\\", "\\\\").replace("\"", "\\\"") + "\"";
  }
}
