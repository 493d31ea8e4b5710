package dev.peekpass.proxy.confine;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Which files the proxy and the JVM around it open. What is not named here cannot be opened,
 * created, renamed or removed; what is open already stays so.
 */
public final class FileRules {
  /**
   * A path and what may be done there and beneath.
   *
   * @param rights of {@link FileAccess}
   */
  public record Rule(String path, long rights) {}

  /**
   * Where things are.
   *
   * @param javaHome of this JVM
   * @param program the jars and directories of the program
   * @param listed directories whose names are looked at, and nothing in them
   * @param libraries what the JVM has mapped, and has open: libraries, agents' jars, its cache
   * @param executables the program that execve(2) is to run, and its loader
   * @param configuration what a reload reads: a directory or a file
   * @param adminDirectory where the admin socket is
   */
  public record Places(
      String javaHome,
      List<String> program,
      List<String> listed,
      List<String> libraries,
      List<String> executables,
      List<String> configuration,
      Optional<String> adminDirectory) {
    /** Copies the lists. */
    public Places {
      program = List.copyOf(program);
      listed = List.copyOf(listed);
      libraries = List.copyOf(libraries);
      executables = List.copyOf(executables);
      configuration = List.copyOf(configuration);
    }
  }

  /**
   * What the JVM and the C library look at: the machine's memory and processors, the limits of its
   * control group, time zone and locale, its user's name, host names for messages. /proc as a
   * whole: a rule about /proc/self would end with the kernel's cached entry. What of other
   * processes matters there, Landlock protects by itself (ptrace(2) access).
   */
  private static final List<String> READ =
      List.of(
          "/proc",
          "/sys/fs/cgroup",
          "/sys/devices/system",
          "/sys/kernel/mm",
          "/dev/null",
          "/dev/zero",
          "/dev/random",
          "/dev/urandom",
          "/etc/ld.so.cache",
          "/etc/ld.so.preload",
          "/etc/localtime",
          "/etc/timezone",
          "/usr/share/zoneinfo",
          "/usr/lib/locale",
          "/etc/passwd",
          "/etc/group",
          "/etc/nsswitch.conf",
          "/etc/host.conf",
          "/etc/hosts",
          "/etc/resolv.conf",
          "/etc/gai.conf");

  private static final List<String> WRITE = List.of("/dev/null");

  /** Directories that hold much that is not the proxy's: a rule is about the file in them alone. */
  private static final Set<String> SHARED =
      Set.of(
          "/",
          "/home",
          "/root",
          "/tmp",
          "/usr",
          "/var",
          "/opt",
          "/srv",
          "/run",
          "/var/lib",
          "/var/tmp",
          "/usr/local",
          "/mnt",
          "/media",
          "/boot",
          "/dev",
          "/sys");

  /** Such, too, for root; others can read there what anybody can. */
  private static final Set<String> ETC = Set.of("/etc", "/usr/local/etc");

  private FileRules() {}

  /** The rules. Paths that are not there are no harm. */
  public static List<Rule> of(Places places) {
    List<Rule> rules = new ArrayList<>();
    rules.add(new Rule(places.javaHome(), FileAccess.READ));
    places.program().forEach(path -> rules.add(new Rule(path, FileAccess.READ)));
    places.listed().forEach(path -> rules.add(new Rule(path, FileAccess.READ_DIR)));
    places.libraries().forEach(path -> rules.add(new Rule(path, FileAccess.READ)));
    places
        .executables()
        .forEach(path -> rules.add(new Rule(path, FileAccess.READ | FileAccess.EXECUTE)));
    places.configuration().forEach(path -> rules.add(new Rule(path, FileAccess.READ)));
    READ.forEach(path -> rules.add(new Rule(path, FileAccess.READ)));
    WRITE.forEach(path -> rules.add(new Rule(path, FileAccess.WRITE_FILE)));
    places
        .adminDirectory()
        .ifPresent(path -> rules.add(new Rule(path, FileAccess.SOCKET_DIRECTORY)));
    return rules;
  }

  /**
   * What a reload is to read: the configuration's directory, since editors replace files, or the
   * file alone where that directory is everybody's or somebody's home.
   *
   * @param file absolute
   * @param home of the user that the proxy was started by
   * @param root whether it serves as root, who may read all that is in /etc
   */
  public static String forReload(Path file, String home, boolean root) {
    Path directory = file.getParent();
    if (directory == null) {
      return file.toString();
    }
    String name = directory.toString();
    boolean somebodys = name.equals(home) || Path.of("/home").equals(directory.getParent());
    boolean shared = SHARED.contains(name) || somebodys || (root && ETC.contains(name));
    return shared ? file.toString() : name;
  }
}
