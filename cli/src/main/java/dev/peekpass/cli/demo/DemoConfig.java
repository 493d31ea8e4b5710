package dev.peekpass.cli.demo;

import java.nio.file.Path;
import java.util.List;

/** The configuration of the demo's proxy. */
final class DemoConfig {
  private DemoConfig() {}

  /**
   * A host and the sockets of its backend, which may be one.
   *
   * @param https where connections to the https port are handed over
   * @param http where those to the http port are
   */
  record Site(String host, Path https, Path http) {
    /** A backend that tells TLS from plain HTTP by itself. */
    static Site at(String host, Path socket) {
      return new Site(host, socket, socket);
    }

    private boolean hasOneSocket() {
      return https.equals(http);
    }

    private String httpBackend() {
      return label(host) + (hasOneSocket() ? "" : "-http");
    }
  }

  /**
   * Writes it.
   *
   * @param httpsPort the port of the first listener, 0 for any free one
   * @param httpPort the port of the second listener, 0 for any free one
   * @param admin where its admin socket will be
   * @param root whether it runs as root, and is not to warn of that
   */
  static String text(int httpsPort, int httpPort, Path admin, boolean root, List<Site> sites) {
    StringBuilder out = new StringBuilder("# Written by peekpass demo.\n");
    out.append("admin: ").append(quote("unix:" + admin)).append('\n');
    // Its start is to be quick; and root's sockets are root's.
    out.append("confinement: off\n").append(root ? "user: root\n" : "");
    out.append("access-log: true\nlisteners:\n");
    out.append("  - bind: \"127.0.0.1:").append(httpsPort).append("\" # for https\n");
    out.append("  - bind: \"127.0.0.1:").append(httpPort).append("\" # for http\n");
    if (!sites.stream().allMatch(Site::hasOneSocket)) {
      out.append("    routes:\n");
      sites.forEach(site -> out.append("  " + route(site.host(), site.httpBackend())));
    }
    out.append("backends:\n");
    for (Site site : sites) {
      out.append(backend(label(site.host()), site.https()));
      if (!site.hasOneSocket()) {
        out.append(backend(site.httpBackend(), site.http()));
      }
    }
    out.append("routes:\n");
    sites.forEach(site -> out.append(route(site.host(), label(site.host()))));
    return out.append("fallback: { reject: tls-alert }\n").toString();
  }

  private static String backend(String name, Path socket) {
    return "  %s: { handoff: %s }%n".formatted(name, quote("unix:" + socket));
  }

  private static String route(String host, String backend) {
    return "  - { host: %s, backend: %s }%n".formatted(host, backend);
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
