package dev.peekpass.cli.demo;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.File;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.CodeSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A backend of the demo that is nginx with the module of this project: two sockets, since nginx
 * takes TLS and plain HTTP apart where they come in.
 */
final class DemoNginx {
  private static final String MODULE = "ngx_peekpass_module.so";
  private static final String READY = "peekpass: nginx serves ";

  // What the two servers say of TLS, as `peekpass serve` does.
  private static final String TLS = "\"tls\":\"$ssl_protocol\",\"sni\":\"$ssl_server_name\"";
  private static final String NO_TLS = "\"tls\":null,\"sni\":null";

  // Where distributions put it, and not everybody has /usr/sbin in the PATH.
  private static final List<Path> SBIN = List.of(Path.of("/usr/sbin"), Path.of("/usr/local/sbin"));
  private static final List<Path> MODULES =
      List.of(Path.of("/usr/lib/nginx/modules"), Path.of("/usr/lib64/nginx/modules"));

  /**
   * Ends nginx with the demo however that ends: the demo holds the other end of standard input, and
   * the kernel closes it even for a process that is killed.
   */
  private static final String KEEPER =
      """
      exec 3<&0
      pid=$1 ready=$2; shift 2
      "$@" </dev/null & nginx=$!
      trap 'kill -TERM $nginx' TERM INT
      { cat <&3; kill -TERM $nginx; } >/dev/null 2>&1 & watch=$!
      until [ -s "$pid" ]; do kill -0 $nginx 2>/dev/null || { kill $watch; exit 1; }; sleep 0.05; done
      echo "$ready"
      while kill -0 $nginx 2>/dev/null; do wait $nginx; done
      kill $watch 2>/dev/null
      """;

  private final Path program;
  private final Path module;

  private DemoNginx(Path program, Path module) {
    this.program = program;
    this.module = module;
  }

  /**
   * Finds nginx and the module, in this checkout or where it is installed.
   *
   * @throws IOException if one is missing; the message says what to do
   */
  static DemoNginx find() throws IOException {
    Path checkout = checkout();
    Path program =
        search(path(), "nginx", Files::isExecutable)
            .orElseThrow(() ->
                new IOException(
                    "--nginx: no nginx is installed: apt-get install nginx nginx-dev"
                        + make(checkout)));
    List<Path> places = new ArrayList<>();
    if (checkout != null) {
      places.add(checkout.resolve("nginx/build"));
    }
    places.addAll(MODULES);
    Path module =
        search(places, MODULE, Files::isReadable)
            .orElseThrow(() ->
                new IOException(
                    "--nginx: there is no "
                        + MODULE
                        + " in "
                        + places
                        + ": apt-get install nginx-dev"
                        + make(checkout)));
    return new DemoNginx(program, module);
  }

  private static String make(@Nullable Path checkout) {
    return checkout == null
        ? " and the package libnginx-mod-peekpass"
        : ", then make -C " + checkout.resolve("nginx");
  }

  private static List<Path> path() {
    String path = Optional.ofNullable(System.getenv("PATH")).orElse("");
    return Stream.concat(Stream.of(path.split(File.pathSeparator, -1)).map(Path::of), SBIN.stream())
        .toList();
  }

  private static Optional<Path> search(
      List<Path> directories, String name, Predicate<Path> usable) {
    return directories.stream().map(dir -> dir.resolve(name)).filter(usable).findFirst();
  }

  /** Where the launcher of a checkout has this from: the jar is in cli/target/lib. */
  private static @Nullable Path checkout() {
    CodeSource source = DemoNginx.class.getProtectionDomain().getCodeSource();
    if (source == null) {
      return null;
    }
    try {
      Path root = Path.of(source.getLocation().toURI()).resolve("../../../..").normalize();
      return Files.exists(root.resolve("nginx/Makefile")) ? root : null;
    } catch (URISyntaxException e) {
      return null;
    }
  }

  /**
   * Starts it.
   *
   * @param directory created, for all that it writes
   * @param site the name to answer for, and where its connections come in
   * @param certificate in PEM, and its key
   * @param print as for {@link DemoProcess#start}
   */
  DemoProcess start(
      Path directory, DemoConfig.Site site, Path certificate, Path key, Consumer<String> print)
      throws IOException {
    Files.createDirectories(directory);
    Path config = directory.resolve("nginx.conf");
    Path pid = directory.resolve("nginx.pid");
    Files.writeString(config, text(directory, pid, site, certificate, key), UTF_8);
    List<String> command =
        List.of(
            "/bin/sh",
            "-c",
            KEEPER,
            "nginx",
            pid.toString(),
            READY + site.host(),
            program.toString(),
            "-p",
            directory.toString(),
            "-c",
            config.toString(),
            "-e",
            "stderr");
    return DemoProcess.start("backend " + DemoConfig.label(site.host()), command, READY, 1, print);
  }

  // No files but these: nginx's workers run as another user when the demo is root's.
  private String text(Path directory, Path pid, DemoConfig.Site site, Path certificate, Path key) {
    return """
    # Written by peekpass demo.
    load_module %1$s;
    daemon off;
    pid %2$s;
    error_log stderr warn;
    worker_processes 2;
    peekpass %3$s;
    peekpass %4$s;
    events {}
    http {
      access_log off;
      client_body_temp_path %5$s;
      proxy_temp_path %5$s;
      fastcgi_temp_path %5$s;
      uwsgi_temp_path %5$s;
      scgi_temp_path %5$s;
      ssl_protocols TLSv1.2 TLSv1.3;
      ssl_certificate %6$s;
      ssl_certificate_key %7$s;
      add_header X-Backend %8$s;
    %9$s%10$s}
    """
        .formatted(
            quote(module),
            quote(pid),
            quote("unix:" + site.https()),
            quote("unix:" + site.http()),
            quote(directory.resolve("temp")),
            quote(certificate),
            quote(key),
            DemoConfig.label(site.host()),
            server(quote("unix:" + site.https()) + " ssl http2", site.host(), TLS),
            server(quote("unix:" + site.http()), site.host(), NO_TLS));
  }

  private static String server(String listen, String host, String tls) {
    return """
      server {
        listen %1$s;
        server_name %2$s;
        location / {
          default_type text/html;
          return 200 "<!doctype html><title>%2$s</title><h1>This is %2$s</h1>\\n";
        }
        location = %3$s {
          default_type application/json;
          return 200 '{"backend":"%4$s","pid":$pid,"remote":"$remote_addr:$remote_port",\
    "local":"$server_addr:$server_port",%5$s,"host":"$http_host"}\\n';
        }
      }
    """
        .formatted(listen, host, Tour.WHOAMI, DemoConfig.label(host), tls);
  }

  private static String quote(Object text) {
    return "\"" + text.toString().replace("\\", "\\\\").replace("\"", "\\\"") + "\"";
  }
}
