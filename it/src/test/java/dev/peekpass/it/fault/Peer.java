package dev.peekpass.it.fault;

import dev.peekpass.it.Running;
import dev.peekpass.it.Tool;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/** A proxy of the comparison: how it is started, each configured to lose as little as it can. */
enum Peer {
  PEEKPASS("Peekpass"),
  HAPROXY("HAProxy, tcp"),
  NGINX("nginx, stream");

  private static final Path NGINX_STREAM = Path.of("/usr/lib/nginx/modules/ngx_stream_module.so");

  final String title;

  Peer(String title) {
    this.title = title;
  }

  boolean isInstalled() {
    return switch (this) {
      case PEEKPASS -> true;
      case HAPROXY -> Tool.isInstalled("haproxy");
      case NGINX -> Tool.isInstalled("nginx") && Files.exists(NGINX_STREAM);
    };
  }

  /** With its version, where it says one. */
  String version(Path dir) throws IOException {
    Running.Done done =
        switch (this) {
          case PEEKPASS -> new Running.Done(0, "", "");
          case HAPROXY -> Running.run(dir, "haproxy", "-v");
          case NGINX -> Running.run(dir, "nginx", "-v");
        };
    String text = done.output() + done.errors();
    String number = text.replaceFirst("(?s).*?(\\d+\\.\\d+(\\.\\d+)?).*", "$1");
    return text.isEmpty() ? title : title.replaceFirst("(,|$)", " " + number + "$1");
  }

  /**
   * Where a backend of this proxy is.
   *
   * @param index of the backend
   */
  String backend(Path dir, int index) throws IOException {
    return this == PEEKPASS
        ? "unix:" + dir.resolve("peer" + index + ".sock")
        : "tcp:" + Deployment.freePort();
  }

  /** Starts it on a port, in front of backends. */
  Running start(Path dir, int port, List<String> backends) throws IOException {
    Path file = dir.resolve(name().toLowerCase(Locale.ROOT) + ".conf");
    Files.writeString(file, configuration(dir, port, backends));
    List<String> command =
        switch (this) {
          case PEEKPASS ->
              List.of(Running.ROOT.resolve("peekpass").toString(), "run", "-c", file.toString());
          case HAPROXY -> List.of("haproxy", "-db", "-f", file.toString());
          case NGINX -> List.of("nginx", "-p", dir.toString(), "-c", file.toString());
        };
    return Running.start(dir, "proxy-" + System.nanoTime(), command);
  }

  private String configuration(Path dir, int port, List<String> backends) {
    List<String> addresses =
        backends.stream().map(where -> where.replaceFirst("^tcp:", "127.0.0.1:")).toList();
    return switch (this) {
      case PEEKPASS ->
          Running.withAdmin(
              dir,
              """
              listeners:
                - { bind: "127.0.0.1:%d" }
              backends:
                web: { handoff: %s, method: acknowledged }
              routes:
                - { host: %s, backend: web }
              """
                  .formatted(
                      port,
                      backends.stream().map(where -> '"' + where + '"').toList(),
                      Deployment.HOST));
      case HAPROXY -> haproxy(port, addresses);
      case NGINX ->
          """
          daemon off; worker_processes 2; pid %s/nginx.pid; error_log stderr error;
          load_module %s;
          events { worker_connections 8000; }
          stream {
            upstream web { %s }
            server {
              listen 127.0.0.1:%d backlog=4096;
              proxy_pass web;
              proxy_connect_timeout 1s;
              proxy_timeout 90s;
              proxy_next_upstream_tries 0;
              proxy_next_upstream_timeout 10s;
            }
          }
          """
              .formatted(
                  dir,
                  NGINX_STREAM,
                  String.join(
                      " ",
                      addresses.stream()
                          .map(at -> "server " + at + " max_fails=1 fail_timeout=1s;")
                          .toList()),
                  port);
    };
  }

  // A check of HTTP, since a frozen process still takes connections. With one backend none: while
  // it is marked down its connections would be closed instead of tried again.
  private static String haproxy(int port, List<String> addresses) {
    List<String> lines =
        new ArrayList<>(
            List.of(
                "global",
                "  maxconn 9000",
                "defaults",
                "  mode tcp",
                "  timeout connect 1s",
                "  timeout client 90s",
                "  timeout server 90s",
                "  retries 10",
                "  option redispatch 1",
                "frontend f",
                "  bind 127.0.0.1:" + port + " backlog 4096",
                "  default_backend b",
                "backend b",
                "  balance roundrobin"));
    boolean several = addresses.size() > 1;
    if (several) {
      lines.add("  option httpchk GET /");
    }
    for (String address : addresses) {
      lines.add(
          "  server s%s %s%s"
              .formatted(
                  address.replaceAll("\\D", ""),
                  address,
                  several ? " check inter 200ms fall 2 rise 1" : ""));
    }
    return String.join("\n", lines) + "\n";
  }

  /** Kills every process of it. */
  static void kill(Running proxy) {
    try (Stream<ProcessHandle> workers = proxy.process.descendants()) {
      // The first of them would start others anew.
      List<ProcessHandle> all = workers.toList();
      proxy.process.destroyForcibly();
      all.forEach(ProcessHandle::destroyForcibly);
    }
    proxy.await();
  }
}
