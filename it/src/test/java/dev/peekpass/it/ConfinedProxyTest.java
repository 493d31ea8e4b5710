package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * {@code peekpass run} that root has started and that serves as another user: what the kernel says
 * of all its threads, and that everything works as it is confined. What it cannot do is tried in
 * ForbiddenThingsTest of {@code cli}.
 */
@Tag("processes")
class ConfinedProxyTest {
  private static final String HOST = "shop.example.test";
  private static final String BODY = "<h1>the shop</h1>\n";

  /** Enough for several times the memory that is there at the start, which is 8 MiB. */
  private static final int ROUTES = 8000;

  private static final long MORE_KIB = 12 << 10;

  private static final String DAEMON = ConfinedSite.DAEMON;

  /** What no test changes: a server for all, and where its socket is. */
  @TempDir private static Path shared;

  private static Running server;

  @TempDir private Path dir;
  private ConfinedSite site;
  private Path program;

  @BeforeAll
  static void startServer() throws IOException {
    ConfinedSite.open(shared, "rwxr-xr-x");
    Path pages = Files.createDirectories(shared.resolve("site"));
    Files.writeString(pages.resolve("index.html"), BODY);
    Path socket = socket();
    server =
        Running.peekpass(
            shared,
            "serve",
            "serve",
            pages.toString(),
            "--handoff",
            "unix:" + socket,
            "--allow-uid",
            DAEMON);
    server.awaitOutput("the socket is there", () -> Files.exists(socket));
    ConfinedSite.open(socket, "rwxrwxrwx");
  }

  @AfterAll
  static void stopServer() {
    server.close();
  }

  @BeforeEach
  void makeSite() throws IOException {
    site = new ConfinedSite(dir);
    program = ConfinedSite.program();
  }

  private static Path socket() {
    return shared.resolve("shop.sock");
  }

  private Path admin() {
    return dir.resolve("run/admin.sock");
  }

  private Path write(String keys, String binds) throws IOException {
    Path beside = dir.resolve("etc/new.yaml");
    Files.writeString(
        beside,
        """
        %s
        admin: "unix:%s"
        listeners: [ { bind: [%s] } ]
        backends: { shop: { handoff: "unix:%s" } }
        routes: [ { host: %s, backend: shop } ]
        """
            .formatted(keys, admin(), binds, socket(), HOST));
    // As editors do.
    return Files.move(
        beside, dir.resolve("etc/peekpass.yaml"), StandardCopyOption.REPLACE_EXISTING);
  }

  private Running begin(String name, String... arguments) throws IOException {
    List<String> command = new ArrayList<>(List.of(program.toString()));
    command.addAll(List.of(arguments));
    return Running.start(dir, name, command);
  }

  private Running start(String name, String... more) throws IOException {
    List<String> arguments = new ArrayList<>(List.of("run", "-c", dir + "/etc/peekpass.yaml"));
    arguments.addAll(List.of(more));
    Running proxy = begin(name, arguments.toArray(String[]::new));
    proxy.awaitOutput("it runs", () -> proxy.errors().contains("running as process"));
    return proxy;
  }

  private Running.Done command(String... arguments) throws IOException {
    try (Running running = begin("command-" + System.nanoTime(), arguments)) {
      int status = running.await();
      return new Running.Done(status, running.output(), running.errors());
    }
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }

  private static String get(int port) throws IOException {
    try (Socket client = new Socket(InetAddress.getLoopbackAddress(), port)) {
      String head = "GET / HTTP/1.1\r\nHost: " + HOST + "\r\nConnection: close\r\n\r\n";
      client.getOutputStream().write(head.getBytes(StandardCharsets.US_ASCII));
      return new String(client.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  private static Set<String> ofAllThreads(Running proxy, String field) throws IOException {
    return ConfinedSite.ofAllThreads(proxy.process.pid(), field);
  }

  private static void assertIsDaemon(Running proxy) throws IOException {
    assertThat(ofAllThreads(proxy, "Uid")).containsExactly("1 1 1 1");
    assertThat(ofAllThreads(proxy, "Gid")).hasSize(1).doesNotContain("0 0 0 0");
    assertThat(ofAllThreads(proxy, "Groups")).hasSize(1).doesNotContain("0");
    for (String set : List.of("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")) {
      assertThat(ofAllThreads(proxy, set)).as(set).containsExactly("0000000000000000");
    }
    assertThat(ofAllThreads(proxy, "NoNewPrivs")).containsExactly("1");
    assertThat(ofAllThreads(proxy, "Seccomp")).containsExactly("2");
  }

  @Test
  void rootsStartServesAsAnotherUserWithoutAnyPrivilege() throws Exception {
    write("user: daemon", "\"127.0.0.1:0\"");
    try (Running proxy = start("proxy")) {
      assertIsDaemon(proxy);
      assertThat(proxy.errors()).contains("confined from here: system calls: enforced");
      assertThat(get(proxy.port(0))).endsWith(BODY);
      // Also those that began after that.
      assertIsDaemon(proxy);
      assertThat(Files.getAttribute(admin(), "unix:uid")).isEqualTo(1);

      Running.Done status = command("status", "--json", "--admin", "unix:" + admin());
      assertThat(status.output())
          .contains("\"confinement\":{\"mode\":\"enforce\",\"uid\":\"1\",")
          .contains("\"capabilities\":\"0000000000000000\",\"bounding\":\"0000000000000000\"")
          .contains("\"no-new-privileges\":true", "\"calls\":\"enforced\"")
          .contains("\"pid\":" + proxy.process.pid());
      assertThat(status.output().replaceAll(".*\"threads\":(\\d+),\"filtered\":(\\d+),.*", "$1=$2"))
          .matches("(\\d+)=\\1\n?");
      assertThat(command("status", "--admin", "unix:" + admin()).output())
          .contains("confinement enforce: uid 1, capabilities none, system calls");

      // A reload of a file that was put in the place of the other, which needs no more.
      write("user: daemon", "\"127.0.0.1:0\", \"127.0.0.2:0\"");
      assertThat(command("reload", "--admin", "unix:" + admin()).output()).contains("reloaded");
      // One that needs more.
      write("user: daemon", "\"127.0.0.1:0\", \"127.0.0.1:" + freePort() + "\"");
      Running.Done more = command("reload", "--admin", "unix:" + admin());
      assertThat(more.status()).isOne();
      assertThat(more.errors()).contains("it may bind 0 (any free one) only", "--takeover");
      assertThat(proxy.errors()).contains("reload refused: this proxy is confined");
      assertThat(get(proxy.port(0))).endsWith(BODY);

      assertThat(proxy.stop()).isZero();
      assertThat(admin()).doesNotExist();
      assertThat(proxy.errors().replace("ERROR reload refused", ""))
          .doesNotContain("ERROR", "fault");
    }
  }

  /** Their memory is another's than the serial collector's: ZGC's is a file in memory. */
  @ParameterizedTest
  @ValueSource(strings = {"ZGC", "G1GC"})
  void otherCollectorsGetTheirMemoryAndThreads(String collector) throws Exception {
    write("user: daemon\ngroup: daemon\nthreads: 2", "\"127.0.0.1:0\"");
    List<String> withIt =
        List.of(
            "env",
            "PEEKPASS_NO_AOT=1",
            "PEEKPASS_JAVA_OPTS=-XX:-UseSerialGC -XX:+Use"
                + collector
                + " -Xmx64m -Xlog:gc=info:stderr",
            program.toString(),
            "run",
            "-c",
            dir + "/etc/peekpass.yaml");
    try (Running proxy = Running.start(dir, "proxy", withIt)) {
      proxy.awaitOutput("it runs", () -> proxy.errors().contains("running as process"));
      assertIsDaemon(proxy);
      Path file = dir.resolve("etc/peekpass.yaml");
      StringBuilder more = new StringBuilder(Files.readString(file).replaceAll("routes:.*\n", ""));
      more.append("routes:\n- { host: " + HOST + ", backend: shop }\n");
      for (int i = 0; i < ROUTES; i++) {
        more.append("- { host: h").append(i).append(".example.test, backend: shop }\n");
      }
      Files.writeString(file, more);
      int before = proxy.errors().length();
      long resident = residentKib(proxy);
      assertThat(site.ask("reload")).startsWith("{\"ok\":true");
      // It has got more memory, and has collected, with the threads that are for that.
      assertThat(residentKib(proxy)).isGreaterThan(resident + MORE_KIB);
      assertThat(proxy.errors().substring(before)).contains("[gc");
      assertIsDaemon(proxy);
      assertThat(get(proxy.port(0))).endsWith(BODY);
      assertThat(proxy.stop()).isZero();
      assertThat(proxy.output() + proxy.errors())
          .doesNotContain("Failed to", "OutOfMemory", "Operation not permitted");
    }
  }

  private static long residentKib(Running proxy) {
    return Long.parseLong(
        Running.read(Path.of("/proc/" + proxy.process.pid() + "/status"))
            .replaceAll("(?s).*VmRSS:\\s*(\\d+).*", "$1"));
  }

  @Test
  void aPortBelow1024IsRootsToOpenAndTheOthersToHave() throws Exception {
    int port = 1023;
    while (!isFree(port)) {
      port--;
    }
    write("user: daemon\nthreads: 2", "\"127.0.0.1:" + port + "\"");
    try (Running proxy = start("proxy")) {
      assertIsDaemon(proxy);
      assertThat(get(port)).endsWith(BODY);
      // The next has the sockets without ever binding them.
      try (Running next = start("next", "--takeover")) {
        assertThat(proxy.await()).isZero();
        assertIsDaemon(next);
        assertThat(get(port)).endsWith(BODY);
        assertThat(next.stop()).isZero();
      }
      assertThat(admin()).doesNotExist();
    }
  }

  /**
   * Its loader takes libraries from known places only, hence the ld.so.cache of its own. The kernel
   * lets such a process not read its own environment, which the second program is to have.
   */
  @Test
  void aJdkWithAFileCapabilityBindsBelow1024ForWhoIsNotRoot() throws Exception {
    for (String needed : List.of("setcap", "ldconfig", "unshare", "mount")) {
      Tool.require(needed);
    }
    Path home = Path.of(System.getProperty("java.home"));
    Path jdk = dir.resolve("jdk");
    Files.createDirectories(jdk.resolve("bin"));
    Path java = Files.copy(home.resolve("bin/java"), jdk.resolve("bin/java"));
    for (String link : List.of("lib", "conf", "release")) {
      Files.createSymbolicLink(jdk.resolve(link), home.resolve(link));
    }
    Running.Done set = Running.run(dir, "setcap", "cap_net_bind_service+ep", java.toString());
    Assumptions.assumeTrue(set.status() == 0, "SKIPPED: setcap: " + set.errors());
    Path places = dir.resolve("ld.so.conf");
    Files.writeString(places, "include /etc/ld.so.conf\n" + home.resolve("lib") + "\n");
    Path cache = dir.resolve("ld.so.cache");
    Running.Done made =
        Running.run(dir, "ldconfig", "-C", cache.toString(), "-f", places.toString());
    assertThat(made.status()).as(made.errors()).isZero();
    int port = 1023;
    while (!isFree(port)) {
      port--;
    }
    write("", "\"127.0.0.1:" + port + "\"");
    String asDaemon =
        "mount --bind '%s' /etc/ld.so.cache && exec setpriv --reuid=%s --regid=%s --clear-groups"
            .formatted(cache, DAEMON, DAEMON);
    String start = asDaemon + " env PEEKPASS_JAVA_HOME='%s' '%s' run -c '%s'";
    String all = start.formatted(jdk, program, dir.resolve("etc/peekpass.yaml"));
    Running.Done may = Running.run(dir, "unshare", "--mount", "true");
    Assumptions.assumeTrue(may.status() == 0, "SKIPPED: no mounts of its own: " + may.errors());
    try (Running proxy =
        Running.start(dir, "proxy", List.of("unshare", "--mount", "sh", "-c", all))) {
      proxy.awaitOutput("it runs", () -> proxy.errors().contains("running as process"));
      assertIsDaemonWithoutPrivilege(proxy);
      assertThat(get(port)).endsWith(BODY);
      assertThat(proxy.stop()).as(proxy.errors()).isZero();
    }
    // Root drops what the file asks for, and with it the file's program.
    write("user: daemon", "\"127.0.0.1:0\"");
    String asRoot = all.replaceAll("setpriv .*--clear-groups ", "");
    try (Running refused =
        Running.start(dir, "refused", List.of("unshare", "--mount", "sh", "-c", asRoot))) {
      assertThat(refused.await()).isOne();
      assertThat(refused.errors()).contains("EPERM", "setcap -r " + jdk.resolve("bin/java"));
    }
  }

  private static void assertIsDaemonWithoutPrivilege(Running proxy) throws IOException {
    assertThat(ofAllThreads(proxy, "Uid")).containsExactly("1 1 1 1");
    for (String capabilities : List.of("CapInh", "CapPrm", "CapEff", "CapAmb")) {
      assertThat(ofAllThreads(proxy, capabilities)).containsExactly("0000000000000000");
    }
    assertThat(ofAllThreads(proxy, "NoNewPrivs")).containsExactly("1");
    assertThat(ofAllThreads(proxy, "Seccomp")).containsExactly("2");
  }

  private static boolean isFree(int port) {
    try (ServerSocket socket = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
      return socket.isBound();
    } catch (IOException e) {
      return false;
    }
  }

  @Test
  void anotherUserTakesOverFromRootAndRootNotFromAnotherUserUnlessItIsSaid() throws Exception {
    String bind = "\"127.0.0.1:0\"";
    write("", bind);
    Running current = start("root");
    try {
      assertThat(current.errors()).contains("it serves as root: write user: NAME");
      assertThat(ofAllThreads(current, "Uid")).containsExactly("0 0 0 0");
      assertThat(ofAllThreads(current, "NoNewPrivs")).containsExactly("1");
      assertThat(ofAllThreads(current, "Seccomp")).containsExactly("2");
      int port = current.port(0);

      write("user: daemon", bind);
      try (Load load = new Load(port, HOST, BODY)) {
        current = next(current, "daemon");
        assertIsDaemon(current);
        current = next(current, "daemon-again");
        assertIsDaemon(current);
        assertThat(Files.getAttribute(admin(), "unix:uid", LinkOption.NOFOLLOW_LINKS)).isEqualTo(1);

        // Root, without a word in the configuration.
        write("", bind);
        Running.Done refused = command("run", "-c", dir + "/etc/peekpass.yaml", "--takeover");
        assertThat(refused.status()).isOne();
        assertThat(refused.errors())
            .contains("runs as uid 1, and this one would run as root: write user: daemon");
        Running old = current;
        old.awaitOutput(
            "it says so, too",
            () -> old.errors().contains("given up: it refuses: the running proxy"));
        assertThat(get(port)).endsWith(BODY);
        assertIsDaemon(current);

        write("user: root", bind);
        current = next(current, "root-again");
        assertThat(ofAllThreads(current, "Uid")).containsExactly("0 0 0 0");
        load.stop();
        assertThat(load.failures()).isEmpty();
      }
      assertThat(current.port(0)).isEqualTo(port);
      assertThat(current.stop()).isZero();
    } finally {
      current.close();
    }
  }

  private Running next(Running old, String name) throws IOException {
    Running next = start(name, "--takeover");
    assertThat(old.await()).as(old.errors()).isZero();
    assertThat(next.errors()).contains("took over");
    return next;
  }

  @Test
  void aTakeoverWhoseSecondProgramCannotStartLeavesTheOldOneAsItWas() throws Exception {
    write("user: root", "\"127.0.0.1:0\"");
    try (Running proxy = start("proxy");
        ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      write("user: daemon", "\"127.0.0.1:0\", \"127.0.0.1:" + taken.getLocalPort() + "\"");
      Running.Done bind = command("run", "-c", dir + "/etc/peekpass.yaml", "--takeover");
      assertThat(bind.status()).isOne();
      assertThat(bind.errors()).contains("EADDRINUSE");
      proxy.awaitOutput(
          "it says why", () -> proxy.errors().contains("given up: it refuses: bind 127.0.0.1:"));

      write("user: daemon", "\"127.0.0.1:0\"");
      Path lib = program.resolveSibling("cli/target/lib");
      Files.setPosixFilePermissions(lib, PosixFilePermissions.fromString("rwx------"));
      Running.Done hidden = command("run", "-c", dir + "/etc/peekpass.yaml", "--takeover");
      Files.setPosixFilePermissions(lib, PosixFilePermissions.fromString("rwxr-xr-x"));
      assertThat(hidden.status()).isOne();
      assertThat(hidden.errors()).contains("user daemon may not read " + lib);
      assertThat(Files.getAttribute(admin(), "unix:uid")).isEqualTo(0);
      assertThat(get(proxy.port(0))).endsWith(BODY);
      assertThat(proxy.stop()).isZero();
    }
  }

  @Test
  void theDirectoryOfTheServiceManagerIsGivenToTheUserAndNotWhileAnotherProxyIsThere()
      throws Exception {
    Path run = dir.resolve("run");
    Files.setPosixFilePermissions(run, PosixFilePermissions.fromString("rwxr-xr-x"));
    write("user: daemon", "\"127.0.0.1:0\"");
    List<String> asService =
        List.of(
            "env",
            "RUNTIME_DIRECTORY=" + run,
            program.toString(),
            "run",
            "-c",
            dir + "/etc/peekpass.yaml");
    try (Running proxy = Running.start(dir, "proxy", asService)) {
      proxy.awaitOutput("it runs", () -> proxy.errors().contains("running as process"));
      assertThat(Files.getAttribute(run, "unix:uid")).isEqualTo(1);
      write("user: games", "\"127.0.0.1:0\"");
      try (Running second = Running.start(dir, "second", asService)) {
        assertThat(second.await()).isOne();
        assertThat(second.errors()).contains("EADDRINUSE: something else is there", "--takeover");
      }
      assertThat(Files.getAttribute(run, "unix:uid")).isEqualTo(1);
      assertThat(proxy.stop()).isZero();
    }
  }

  /**
   * Where a default place is the old user's, its successor gets the directory, and its own file: a
   * user that serves no more could put whatever socket it likes in the place of the old one.
   */
  @Test
  void theDirectoryGoesOverToWhoTakesOver() throws Exception {
    Path run = dir.resolve("run");
    Files.setPosixFilePermissions(run, PosixFilePermissions.fromString("rwx------"));
    write("", "\"127.0.0.1:0\"");
    List<String> asService =
        List.of(
            "env",
            "RUNTIME_DIRECTORY=" + run,
            program.toString(),
            "run",
            "-c",
            dir + "/etc/peekpass.yaml",
            "--takeover");
    Running current = Running.start(dir, "root", asService);
    try {
      Running first = current;
      first.awaitOutput("it runs", () -> first.errors().contains("running as process"));
      assertThat(Files.getAttribute(admin(), "unix:uid")).isEqualTo(0);
      for (String user : List.of("daemon", "games")) {
        write("user: " + user, "\"127.0.0.1:0\"");
        Running next = Running.start(dir, user, asService);
        Running old = current;
        current = next;
        next.awaitOutput("it runs", () -> next.errors().contains("took over"));
        assertThat(old.await()).as(old.errors()).isZero();
        Running.Done uid = Running.run(dir, "id", "-u", user);
        int number = Integer.parseInt(uid.output().trim());
        assertThat(Files.getAttribute(run, "unix:uid")).isEqualTo(number);
        next.awaitOutput("the file is its own", () -> uidOf(admin()) == number);
        assertThat(next.errors()).doesNotContain("admin socket stays");
        Running.Done status = command("status", "--json", "--admin", "unix:" + admin());
        assertThat(status.output()).contains("\"pid\":" + next.process.pid());
        // The receiver lets daemon in only.
        assertThat(get(next.port(0))).startsWith("HTTP/1.1 ");
      }
      assertThat(current.stop()).isZero();
      assertThat(admin()).doesNotExist();
    } finally {
      current.close();
    }
  }

  private static int uidOf(Path file) {
    try {
      return (int) Files.getAttribute(file, "unix:uid", LinkOption.NOFOLLOW_LINKS);
    } catch (IOException e) {
      return -1;
    }
  }

  /** Who serves, what is wrong, and what to do: an editor of root's leaves files like these. */
  @Test
  void aReloadOfAFileThatTheUserMayNotReadSaysWhoMayNotAndWhatToDo() throws Exception {
    Path file = write("user: daemon", "\"127.0.0.1:0\"");
    try (Running proxy = start("proxy")) {
      Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
      Running.Done hidden = command("reload", "--admin", "unix:" + admin());
      assertThat(hidden.status()).isOne();
      String why =
          file
              + ":1:1: the proxy, which runs as user daemon (uid 1), may not read the file,"
              + " let the group daemon read it (chgrp daemon "
              + file;
      assertThat(hidden.errors()).contains(why);
      assertThat(proxy.errors()).contains(why, "reload refused");

      Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r--r--"));
      Path etc = file.getParent();
      Files.setPosixFilePermissions(etc, PosixFilePermissions.fromString("rwx------"));
      Running.Done closed = command("reload", "--admin", "unix:" + admin());
      Files.setPosixFilePermissions(etc, PosixFilePermissions.fromString("rwxr-xr-x"));
      assertThat(closed.errors())
          .contains("(uid 1), cannot enter " + etc + ", move " + file + " to /etc/peekpass, or");

      // In another directory: its mode is right, and the proxy is confined.
      Path elsewhere = Files.createDirectories(dir.resolve("elsewhere")).resolve("other.yaml");
      Files.move(file, elsewhere);
      Files.createSymbolicLink(file, elsewhere);
      Running.Done confined = command("reload", "--admin", "unix:" + admin());
      assertThat(confined.errors())
          .contains("(uid 1), may not read the file, since it is confined", "run --takeover");
      Files.move(elsewhere, file, StandardCopyOption.REPLACE_EXISTING);
      assertThat(command("reload", "--admin", "unix:" + admin()).output()).contains("reloaded");
      assertThat(get(proxy.port(0))).endsWith(BODY);
    }
  }

  /** Without confinement it has given up root all the same. */
  @Test
  void aReloadThatWantsAPortBelow1024IsTaughtToTakeOver() throws Exception {
    int port = 1023;
    while (!isFree(port)) {
      port--;
    }
    write("user: daemon\nconfinement: off", "\"127.0.0.1:0\"");
    try (Running proxy = start("proxy")) {
      write("user: daemon\nconfinement: off", "\"127.0.0.1:0\", \"127.0.0.1:" + port + "\"");
      Running.Done more = command("reload", "--admin", "unix:" + admin());
      assertThat(more.status()).isOne();
      assertThat(more.errors()).contains("EACCES", "has given its privileges up", "--takeover");
      assertThat(get(proxy.port(0))).endsWith(BODY);
    }
  }

  /** As the user that is to serve, whoever starts check. */
  @Test
  void checkByRootFindsWhatTheUserMayNot() throws Exception {
    Path file = write("user: daemon", "\"127.0.0.1:0\"");
    String[] check = {"check", "-c", file.toString()};
    Running.Done good = command(check);
    assertThat(good.errors()).isEmpty();
    assertThat(good.status()).isZero();

    Path run = dir.resolve("run");
    Files.setPosixFilePermissions(run, PosixFilePermissions.fromString("rwxr-xr-x"));
    Path socket = socket();
    Files.setPosixFilePermissions(socket, PosixFilePermissions.fromString("rw-------"));
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
    Running.Done bad = command(check);
    ConfinedSite.open(socket, "rwxrwxrwx");
    assertThat(bad.status()).isOne();
    assertThat(bad.output()).isEmpty();
    assertThat(bad.errors())
        .contains(
            "user daemon may not read the file: let the group daemon read it (chgrp daemon ",
            "admin.sock: user daemon cannot make the admin socket in " + run,
            "backend shop: unix:" + socket + ": uid 1 may not connect to it");
    // What it says is what a start says.
    Running.Done start = command("run", "-c", file.toString());
    assertThat(start.status()).isOne();
    assertThat(start.errors()).contains("user daemon may not read the configuration " + file);

    // Behind a link: its own directory is open, and where it leads is not.
    Path closed = Files.createDirectory(dir.resolve("closed"));
    Path behind = Files.move(file, closed.resolve("p.yaml"));
    Files.setPosixFilePermissions(behind, PosixFilePermissions.fromString("rw-r--r--"));
    Files.setPosixFilePermissions(closed, PosixFilePermissions.fromString("rwx------"));
    Files.createSymbolicLink(file, behind);
    String why =
        "cannot enter %s: move %s to /etc/peekpass, or let the group daemon enter (chgrp daemon %s && chmod g+x %s)"
            .formatted(closed, behind, closed, closed);
    for (String command : List.of("check", "run")) {
      Running.Done link = command(command, "-c", file.toString());
      assertThat(link.status()).as(command).isOne();
      assertThat(link.errors()).contains("user daemon " + why);
    }
  }

  @Test
  void aTakeoverThatEndsBeforeItHasAskedSaysWhyAndTheOldOneGoesOn() throws Exception {
    write("user: daemon", "\"127.0.0.1:0\"");
    try (Running proxy = start("proxy")) {
      write("user: no-such-user", "\"127.0.0.1:0\"");
      Running.Done done = command("run", "-c", dir + "/etc/peekpass.yaml", "--takeover");
      assertThat(done.status()).isOne();
      assertThat(done.errors()).contains("there is no user no-such-user: make it (useradd");
      assertThat(proxy.errors()).doesNotContain("takeover");
      assertThat(get(proxy.port(0))).endsWith(BODY);
      assertThat(proxy.stop()).isZero();
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "user: no-such-user|there is no user no-such-user: make it (useradd",
        "user: daemon\ngroup: no-such-group|there is no group no-such-group",
        "user: 4000000|no user has that number: write group, too"
      })
  void whoCannotBeHadIsSaidBeforeAnythingIsDone(String keysAndError) throws Exception {
    String[] parts = keysAndError.split("[|]", 2);
    write(parts[0], "\"127.0.0.1:0\"");
    for (String command : List.of("check", "run")) {
      Running.Done done = command(command, "-c", dir + "/etc/peekpass.yaml");
      assertThat(done.status()).isOne();
      assertThat(done.errors()).contains(parts[1]);
    }
  }

  @Test
  void whoIsNotRootServesConfinedAsHimselfAndSaysThatHeCannotBecomeAnother() throws Exception {
    write("", "\"127.0.0.1:0\"");
    List<String> asNobody =
        List.of(
            "setpriv",
            "--reuid=" + DAEMON,
            "--regid=" + DAEMON,
            "--clear-groups",
            program.toString(),
            "run",
            "-c",
            dir + "/etc/peekpass.yaml");
    try (Running proxy = Running.start(dir, "proxy", asNobody)) {
      proxy.awaitOutput("it runs", () -> proxy.errors().contains("running as process"));
      assertThat(ofAllThreads(proxy, "Uid")).containsExactly("1 1 1 1");
      assertThat(ofAllThreads(proxy, "CapEff")).containsExactly("0000000000000000");
      assertThat(ofAllThreads(proxy, "NoNewPrivs")).containsExactly("1");
      assertThat(ofAllThreads(proxy, "Seccomp")).containsExactly("2");
      assertThat(get(proxy.port(0))).endsWith(BODY);
      assertThat(proxy.stop()).isZero();
    }
    write("user: games", "\"127.0.0.1:0\"");
    try (Running refused = Running.start(dir, "refused", asNobody)) {
      assertThat(refused.await()).isOne();
      assertThat(refused.errors())
          .contains("user: games: only root can become another user: start it as root");
    }
  }

  @Test
  void rootWithoutTheRightToSetGroupsIsToldSo() throws Exception {
    write("user: daemon", "\"127.0.0.1:0\"");
    List<String> command =
        List.of(
            "setpriv",
            "--bounding-set=-setgid",
            program.toString(),
            "run",
            "-c",
            dir + "/etc/peekpass.yaml");
    try (Running refused = Running.start(dir, "refused", command)) {
      assertThat(refused.await()).isOne();
      assertThat(refused.errors())
          .contains("setgroups", "EPERM", "root lacks CAP_SETUID or CAP_SETGID here");
    }
  }

  @Test
  void anAdminSocketDirectlyInTheRootDirectoryIsRefused() throws Exception {
    Path file = write("user: daemon", "\"127.0.0.1:0\"");
    Files.writeString(
        file, Files.readString(file).replace(admin().toString(), "/peekpass-test.sock"));
    Running.Done done = command("run", "-c", file.toString());
    assertThat(done.status()).isOne();
    assertThat(done.errors())
        .contains(
            "admin socket unix:/peekpass-test.sock: a confined proxy's cannot be directly in /");
    assertThat(Path.of("/peekpass-test.sock")).doesNotExist();
  }

  @Test
  void auditFindsNothingThatWouldBeRefused() throws Exception {
    Running.Done before = Running.run(dir, "dmesg");
    Assumptions.assumeTrue(before.status() == 0, "SKIPPED: the kernel's log cannot be read here");
    write("user: daemon\nconfinement: audit\nthreads: 2", "\"127.0.0.1:0\"");
    try (Running proxy = start("proxy")) {
      assertThat(ofAllThreads(proxy, "Seccomp")).containsExactly("2");
      try (Load load = new Load(proxy.port(0), HOST, BODY)) {
        Running.await("it serves", () -> load.served() > 2000);
        assertThat(command("reload", "--admin", "unix:" + admin()).output()).contains("reloaded");
        assertThat(command("status", "--admin", "unix:" + admin()).output())
            .contains("confinement audit", "system calls audited");
        // The JVM's own signal handling, and all its threads.
        Running.run(dir, "kill", "-QUIT", String.valueOf(proxy.process.pid()));
        proxy.awaitOutput("threads are shown", () -> proxy.output().contains("Full thread dump"));
        try (Running next = start("next", "--takeover")) {
          assertThat(proxy.await()).isZero();
          Running.await("it serves", () -> load.served() > 4000);
          load.stop();
          assertThat(load.failures()).isEmpty();
          assertThat(next.stop()).isZero();
          for (Running one : List.of(proxy, next)) {
            assertThat(Running.run(dir, "dmesg").output().lines())
                .noneMatch(line ->
                    line.contains("type=1326") && line.contains(" pid=" + one.process.pid() + " "));
          }
        }
      }
    }
  }
}
