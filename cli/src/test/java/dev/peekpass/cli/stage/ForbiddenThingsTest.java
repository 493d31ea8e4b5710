package dev.peekpass.cli.stage;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What a confined proxy cannot do is tried, in a process that starts like one, as its user, from
 * old and new threads.
 */
@Tag("processes")
class ForbiddenThingsTest {
  /** errno(3) of what a filter refuses, and of what Landlock does. */
  private static final Map<String, String> EXPECTED =
      Map.ofEntries(
          Map.entry("execve", "EPERM"),
          Map.entry("execveat", "EPERM"),
          Map.entry("fork", "EPERM"),
          Map.entry("start", "EPERM"),
          Map.entry("clone-newuser", "EPERM"),
          Map.entry("clone3", "ENOSYS"),
          Map.entry("ptrace", "EPERM"),
          Map.entry("ptrace-other", "EPERM"),
          Map.entry("process_vm_readv", "EPERM"),
          Map.entry("setuid", "EPERM"),
          Map.entry("setresuid", "EPERM"),
          Map.entry("setgroups", "EPERM"),
          Map.entry("capset", "EPERM"),
          Map.entry("netlink", "EPERM"),
          Map.entry("packet", "EPERM"),
          Map.entry("vsock", "EPERM"),
          Map.entry("mount", "EPERM"),
          Map.entry("unshare", "EPERM"),
          Map.entry("chroot", "EPERM"),
          Map.entry("io_uring_setup", "EPERM"),
          Map.entry("bpf", "EPERM"),
          Map.entry("perf_event_open", "EPERM"),
          Map.entry("userfaultfd", "EPERM"),
          Map.entry("open_by_handle_at", "EPERM"),
          Map.entry("keyctl", "EPERM"),
          Map.entry("finit_module", "EPERM"),
          Map.entry("kill-other", "EPERM"),
          Map.entry("tgkill-other", "EPERM"),
          Map.entry("personality", "EPERM"),
          Map.entry("prlimit-set", "EPERM"),
          Map.entry("prctl-dumpable", "EPERM"),
          Map.entry("ioctl-tiocsti", "EPERM"),
          Map.entry("seccomp", "EPERM"),
          Map.entry("x32", "EPERM"),
          Map.entry("open-shadow", "EACCES"),
          Map.entry("open-readable", "EACCES"),
          Map.entry("list-root", "EACCES"),
          Map.entry("write", "EACCES"),
          Map.entry("append", "EACCES"),
          Map.entry("mkdirat", "EACCES"),
          Map.entry("bind", "EACCES"),
          Map.entry("connect", "EACCES"),
          Map.entry("mptcp", "EPERM"),
          Map.entry("mptcp6", "EPERM"),
          Map.entry("sctp", "EPERM"),
          Map.entry("sctp6", "EPERM"),
          Map.entry("udp", "EPERM"),
          Map.entry("udp6", "EPERM"),
          Map.entry("raw", "EPERM"),
          Map.entry("raw6", "EPERM"),
          Map.entry("fast-open-sendto", "EPERM"),
          Map.entry("fast-open-sendmsg", "EPERM"),
          Map.entry("sendmmsg", "EPERM"),
          Map.entry("tcp-repair", "EPERM"),
          Map.entry("port-range", "EPERM"),
          Map.entry("attach-bpf", "EPERM"),
          Map.entry("mark", "EPERM"),
          Map.entry("to-device", "EPERM"),
          Map.entry("multicast-all", "EPERM"),
          Map.entry("set-owner", "EPERM"),
          Map.entry("set-signal", "EPERM"),
          Map.entry("ioctl-owner", "EPERM"),
          Map.entry("fchmod-setuid", "EPERM"),
          Map.entry("chmod-setuid", "EPERM"),
          Map.entry("chown", "EPERM"),
          Map.entry("truncate", "EPERM"),
          Map.entry("utimensat", "EPERM"),
          Map.entry("execveat-memory", "EPERM"),
          Map.entry("pidfd_open", "EPERM"),
          Map.entry("pidfd_getfd", "EPERM"),
          Map.entry("process_madvise", "EPERM"),
          Map.entry("setns", "EPERM"),
          Map.entry("shmget", "EPERM"),
          Map.entry("shmat", "EPERM"),
          Map.entry("msgget", "EPERM"),
          Map.entry("mq_open", "EPERM"),
          Map.entry("tkill", "EPERM"),
          Map.entry("rt_sigqueueinfo", "EPERM"),
          Map.entry("prctl-mm", "EPERM"),
          Map.entry("prctl-seccomp", "EPERM"),
          Map.entry("ioctl-notif-recv", "EPERM"),
          Map.entry("ioctl-notif-send", "EPERM"),
          Map.entry("ioctl-notif-addfd", "EPERM"),
          Map.entry("own-memory", "EACCES"),
          Map.entry("other-memory", "EACCES"),
          Map.entry("other-environment", "EACCES"),
          Map.entry("open-again-to-write", "EACCES"),
          Map.entry("seccomp-listeners", "0"),
          Map.entry("newer-call", "ENOSYS"),
          // What it needs.
          Map.entry("tcp", "0"),
          Map.entry("tcp6", "0"),
          Map.entry("listen-unbound", "0"),
          Map.entry("unix", "0"),
          Map.entry("inet", "0"),
          Map.entry("thread", "0"),
          Map.entry("kill-self", "0"),
          Map.entry("tgkill-self", "0"),
          Map.entry("prlimit-get", "0"),
          Map.entry("open-configuration", "0"),
          Map.entry("open-null", "0"));

  @TempDir private Path dir;

  @BeforeEach
  void letOthersIn() throws IOException {
    Files.setPosixFilePermissions(dir, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  @Test
  void asAnotherUserNothingOfItCanBeDone() throws Exception {
    requireRoot();
    assertThat(confined("user: nobody", "all")).isEqualTo(everywhere(EXPECTED));
  }

  @Test
  void asTheSameUserNothingOfItCanBeDoneEither() throws Exception {
    assertThat(confined("", "all")).isEqualTo(everywhere(EXPECTED));
  }

  /** Else the tests above would prove nothing. */
  @Test
  void withoutConfinementItCanBeDone() throws Exception {
    Map<String, String> found = confined("confinement: off", "harmless");
    for (String what :
        List.of(
            "netlink",
            "personality",
            "prctl-dumpable",
            "open-readable",
            "list-root",
            "write",
            "append",
            "mkdirat",
            "udp",
            "set-owner",
            "set-signal",
            "port-range",
            "multicast-all")) {
      assertThat(found.get("old." + what)).as(what).isIn("0", "EEXIST");
    }
    assertThat(found.get("old.start")).isEqualTo("started");
    assertThat(found.get("old.connect")).isEqualTo("connected");
    assertThat(found.get("old.bind")).startsWith("bound");
  }

  private static Map<String, String> everywhere(Map<String, String> expected) {
    Map<String, String> all = new TreeMap<>();
    expected.forEach((what, errno) -> {
      all.put("old." + what, errno);
      all.put("new." + what, errno);
    });
    return all;
  }

  private static void requireRoot() throws IOException {
    Assumptions.assumeTrue(
        (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid") == 0,
        "SKIPPED: only root can become another user");
  }

  /** What came of each, by thread and name. */
  private Map<String, String> confined(String keys, String what) throws Exception {
    Assumptions.assumeTrue(
        dev.peekpass.linux.ProcessCalls.landlockVersion() >= 4,
        "SKIPPED: this kernel has no Landlock that knows ports");
    Path etc = Files.createDirectories(dir.resolve("etc"));
    Path file =
        Files.writeString(
            etc.resolve("a.yaml"),
            """
            %s
            admin: "unix:%s/admin/admin.sock"
            listeners: [ { bind: "127.0.0.1:%d" } ]
            fallback: { reject: tls-alert }
            """
                .formatted(keys, dir, freePort()));
    Path admin = Files.createDirectories(dir.resolve("admin"));
    Files.setPosixFilePermissions(admin, PosixFilePermissions.fromString("rwxrwxrwx"));
    Path open = Files.createDirectories(dir.resolve("open"));
    Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxrwxrwx"));
    Path readable = Files.writeString(dir.resolve("readable"), "anybody may read this");
    Files.setPosixFilePermissions(readable, PosixFilePermissions.fromString("rw-rw-rw-"));
    try (ServerSocket listening = new ServerSocket(0, 8, InetAddress.getLoopbackAddress())) {
      List<String> command =
          List.of(
              System.getProperty("java.home") + "/bin/java",
              "--enable-native-access=ALL-UNNAMED",
              "-XX:+UseSerialGC",
              "-cp",
              readableClassPath(),
              ForbiddenThings.class.getName(),
              file.toString(),
              readable.toString(),
              open.toString(),
              String.valueOf(listening.getLocalPort()),
              String.valueOf(ProcessHandle.current().pid()),
              what);
      Path output = dir.resolve("output");
      Process process =
          new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(output.toFile())
              .start();
      try {
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).as(Files.readString(output)).isTrue();
      } finally {
        process.destroyForcibly();
      }
      String said = Files.readString(output);
      assertThat(said).as("it came to its end").endsWith("done\n");
      Map<String, String> found = new TreeMap<>();
      for (String line : said.split("\n", -1)) {
        if (line.matches("(old|new)\\.\\S+ .*")) {
          int space = line.indexOf(' ');
          found.put(line.substring(0, space), line.substring(space + 1));
        }
      }
      return found;
    }
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }

  /** This test's class path, where others may read it: a checkout in a home may be closed. */
  private String readableClassPath() throws IOException {
    List<String> copies = new ArrayList<>();
    Path to = Files.createDirectories(dir.resolve("lib"));
    for (String entry : System.getProperty("java.class.path").split(File.pathSeparator, -1)) {
      Path from = Path.of(entry);
      if (!Files.exists(from)) {
        continue;
      }
      Path copy = to.resolve(copies.size() + "-" + from.getFileName());
      try (Stream<Path> files = Files.walk(from)) {
        for (Path file : files.toList()) {
          Path target = copy.resolve(from.relativize(file).toString());
          if (Files.isDirectory(file)) {
            Files.createDirectories(target);
          } else {
            Files.copy(file, file.equals(from) ? copy : target);
          }
        }
      }
      copies.add(copy.toString());
    }
    Tree.letRead(to);
    return String.join(File.pathSeparator, copies);
  }

  /** Modes of all that is in a directory. */
  private static final class Tree {
    static void letRead(Path root) throws IOException {
      try (Stream<Path> files = Files.walk(root)) {
        for (Path file : files.toList()) {
          Files.setPosixFilePermissions(
              file,
              PosixFilePermissions.fromString(Files.isDirectory(file) ? "rwxr-xr-x" : "rw-r--r--"));
        }
      }
    }
  }
}
