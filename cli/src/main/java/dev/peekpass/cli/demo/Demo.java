package dev.peekpass.cli.demo;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import dev.peekpass.cli.pki.ThrowAwayAuthority;
import dev.peekpass.cli.process.JavaCommand;
import dev.peekpass.linux.LinuxKernel;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Two backends, a third if it is asked for, and a proxy, each a process of its own, and everything
 * they need in one temporary directory. {@link #close()} ends and removes it all.
 */
final class Demo implements Closeable, Tour.Stage {
  /** The names of the two backends that are there in any case. */
  private static final List<String> HOSTS = List.of("shop.example.test", "blog.example.test");

  /** The name of the third backend. */
  static final String NGINX_HOST = "nginx.example.test";

  /** Named and not referred to, since it is in the package above, which starts everything. */
  private static final String CHILD = "dev.peekpass.cli.DemoChild";

  private static final String READY_BACKEND = "peekpass: serving ";
  private static final String READY_PROXY = "peekpass: listening on ";

  private final Path directory;
  private final JavaCommand java;
  private final Consumer<String> print;
  private final @Nullable DemoNginx nginx;
  private final List<DemoConfig.Site> sites = new ArrayList<>();
  private final List<DemoProcess> backends = new ArrayList<>();
  private final AtomicBoolean closed = new AtomicBoolean();
  private volatile @Nullable DemoProcess proxy;
  private int httpsPort;
  private int httpPort;
  private String authorityPem = "";
  private String bigFileSha256 = "";

  private Demo(
      Path directory, JavaCommand java, @Nullable DemoNginx nginx, Consumer<String> print) {
    this.directory = directory;
    this.java = java;
    this.nginx = nginx;
    this.print = print;
  }

  /**
   * An empty demo: nothing runs yet.
   *
   * @param withNginx whether nginx is a third backend
   * @param print takes a line at a time, from several threads
   * @throws IOException also if nginx is asked for and is not there
   */
  static Demo create(boolean withNginx, Consumer<String> print) throws IOException {
    DemoNginx nginx = withNginx ? DemoNginx.find() : null;
    // Only its owner may look into it: createTempDirectory makes it so.
    return new Demo(
        Files.createTempDirectory("peekpass-demo"), JavaCommand.current(), nginx, print);
  }

  /**
   * Starts everything; when this returns connections are served.
   *
   * @param wantedHttpsPort 0 for any free one
   * @param wantedHttpPort 0 for any free one
   * @throws IOException if a process does not start; the message has what it printed
   */
  void start(int wantedHttpsPort, int wantedHttpPort) throws IOException, InterruptedException {
    int count = HOSTS.size() + (nginx == null ? 0 : 1);
    String number = count == 2 ? "two" : "three";
    print.accept("making certificates and " + number + " sites in " + directory + " …");
    ThrowAwayAuthority authority =
        new ThrowAwayAuthority("Peekpass demo, throw-away", Instant.now());
    authorityPem = authority.certificatePem();
    Files.writeString(authorityFile(), authorityPem, US_ASCII);
    for (String host : HOSTS) {
      backends.add(startBackend(host, authority.issue(host)));
    }
    bigFileSha256 = DemoSite.writeBigFile(siteOf(HOSTS.getFirst()));
    if (nginx != null) {
      backends.add(startNginx(nginx, authority.issue(NGINX_HOST)));
    }
    print.accept("starting " + number + " backends and the proxy …");
    for (DemoProcess backend : backends) {
      backend.awaitReady();
    }
    startProxy(wantedHttpsPort, wantedHttpPort);
    // With the ports that it got, so that a proxy started again gets the same.
    writeConfig(httpsPort, httpPort);
  }

  /** The proxy's configuration. */
  Path configFile() {
    return directory.resolve("peekpass.yaml");
  }

  /** The certificate to trust, for clients. */
  Path authorityFile() {
    return directory.resolve("ca.pem");
  }

  @Override
  public int httpsPort() {
    return httpsPort;
  }

  @Override
  public int httpPort() {
    return httpPort;
  }

  /** What runs, a line a process. */
  List<String> processes() {
    List<String> lines = new ArrayList<>();
    DemoProcess running = proxy;
    if (running != null) {
      lines.add(
          "proxy    process %d, https on 127.0.0.1:%d, http on 127.0.0.1:%d"
              .formatted(running.pid(), httpsPort, httpPort));
    }
    for (int i = 0; i < backends.size(); i++) {
      lines.add(
          "backend  process %d, %s, takes connections at %s"
              .formatted(backends.get(i).pid(), sites.get(i).host(), sites.get(i).https()));
    }
    return lines;
  }

  /** A tour of this demo. */
  Tour tour() throws IOException {
    return new Tour(this, hosts(), authorityPem, bigFileSha256, print);
  }

  /** The names of its sites. */
  List<String> hosts() {
    return sites.stream().map(DemoConfig.Site::host).toList();
  }

  @Override
  public void killProxy() throws InterruptedException {
    DemoProcess running = proxy;
    if (running != null) {
      running.kill();
    }
  }

  @Override
  public void restartProxy() throws IOException, InterruptedException {
    startProxy(httpsPort, httpPort);
  }

  /** Ends all processes, the proxy first, and removes the directory. May be called twice. */
  @Override
  public void close() {
    if (closed.getAndSet(true)) {
      return;
    }
    DemoProcess running = proxy;
    if (running != null) {
      running.close();
    }
    backends.forEach(DemoProcess::close);
    try {
      remove(directory);
    } catch (IOException e) {
      print.accept("not all of " + directory + " could be removed: " + e.getMessage());
    }
  }

  private Path certificateOf(String host) {
    return directory.resolve(DemoConfig.label(host) + ".crt.pem");
  }

  private Path keyOf(String host) {
    return directory.resolve(DemoConfig.label(host) + ".key.pem");
  }

  private void write(String host, ThrowAwayAuthority.Issued issued) throws IOException {
    Files.writeString(certificateOf(host), issued.certificatePem(), US_ASCII);
    Files.writeString(keyOf(host), issued.keyPem(), US_ASCII);
  }

  private DemoProcess startNginx(DemoNginx found, ThrowAwayAuthority.Issued issued)
      throws IOException {
    write(NGINX_HOST, issued);
    DemoConfig.Site site =
        new DemoConfig.Site(
            NGINX_HOST, directory.resolve("nginx.sock"), directory.resolve("nginx-http.sock"));
    sites.add(site);
    return found.start(
        siteOf(NGINX_HOST), site, certificateOf(NGINX_HOST), keyOf(NGINX_HOST), print);
  }

  private DemoProcess startBackend(String host, ThrowAwayAuthority.Issued issued)
      throws IOException {
    String name = DemoConfig.label(host);
    Path socket = directory.resolve(name + ".sock");
    write(host, issued);
    DemoSite.write(siteOf(host), host);
    sites.add(DemoConfig.Site.at(host, socket));
    List<String> arguments =
        List.of(
            "serve",
            siteOf(host).toString(),
            "--handoff",
            "unix:" + socket,
            "--tls-cert",
            certificateOf(host).toString(),
            "--tls-key",
            keyOf(host).toString(),
            "--name",
            name,
            "--whoami");
    return DemoProcess.start(
        "backend " + name, java.run(CHILD, arguments), READY_BACKEND, 1, print);
  }

  private void startProxy(int wantedHttpsPort, int wantedHttpPort)
      throws IOException, InterruptedException {
    writeConfig(wantedHttpsPort, wantedHttpPort);
    List<String> arguments = List.of("run", "-c", configFile().toString(), "--log-level", "warn");
    DemoProcess started =
        DemoProcess.start("proxy", java.run(CHILD, arguments), READY_PROXY, 2, print);
    proxy = started;
    List<String> addresses = started.awaitReady();
    httpsPort = port(addresses.get(0));
    httpPort = port(addresses.get(1));
  }

  private void writeConfig(int https, int http) throws IOException {
    Path admin = directory.resolve("admin.sock");
    Files.writeString(configFile(), DemoConfig.text(https, http, admin, isRoot(), sites), UTF_8);
  }

  private static boolean isRoot() {
    return LinuxKernel.open().geteuid() == 0;
  }

  private Path siteOf(String host) {
    return directory.resolve(DemoConfig.label(host));
  }

  private static int port(String address) throws IOException {
    try {
      return Integer.parseInt(address.substring(address.lastIndexOf(':') + 1).strip());
    } catch (NumberFormatException e) {
      throw new IOException("the proxy listens on " + address + ", which has no port", e);
    }
  }

  private static void remove(Path tree) throws IOException {
    Files.walkFileTree(
        tree,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            Files.deleteIfExists(file);
            return FileVisitResult.CONTINUE;
          }

          // A process that ends removes its socket at the same time.
          @Override
          public FileVisitResult visitFileFailed(Path file, IOException e) throws IOException {
            if (e instanceof NoSuchFileException) {
              return FileVisitResult.CONTINUE;
            }
            throw e;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path dir, @Nullable IOException e)
              throws IOException {
            if (e != null) {
              throw e;
            }
            Files.delete(dir);
            return FileVisitResult.CONTINUE;
          }
        });
  }
}
