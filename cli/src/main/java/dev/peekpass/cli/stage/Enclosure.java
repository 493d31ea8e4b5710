package dev.peekpass.cli.stage;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.ProcessCalls;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.config.ConfinementMode;
import dev.peekpass.proxy.confine.Bounds;
import dev.peekpass.proxy.confine.FileAccess;
import dev.peekpass.proxy.confine.FileRules;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Files and ports that the second program may use, as a Landlock ruleset (landlock(7)). */
final class Enclosure {
  private final Bounds bounds;
  private final @Nullable Fd ruleset;

  private Enclosure(Bounds bounds, @Nullable Fd ruleset) {
    this.bounds = bounds;
    this.ruleset = ruleset;
  }

  /** What it comes to. */
  Bounds bounds() {
    return bounds;
  }

  /**
   * Makes the ruleset, while this process may still see every file. Where the kernel has no
   * Landlock there is none, and the bounds say so.
   */
  static Enclosure make(
      Kernel kernel,
      ConfinementMode mode,
      Configuration configuration,
      FileRules.Places places,
      Map<String, String> environment)
      throws SystemCallException {
    if (mode != ConfinementMode.ENFORCE) {
      return without(mode, List.of());
    }
    int version = ProcessCalls.landlockVersion();
    if (version < 0) {
      return without(
          mode,
          List.of(
              "files and ports are not confined: this kernel has no Landlock, or it is not switched"
                  + " on (lsm=): "
                  + Errno.name(-version)));
    }
    boolean connects = Bounds.probes(configuration);
    boolean ports = version >= Bounds.NETWORK_SINCE;
    long net = ports ? FileAccess.BIND_TCP | (connects ? 0 : FileAccess.CONNECT_TCP) : 0;
    long scoped = 0;
    if (version >= Bounds.SCOPES_SINCE) {
      boolean notifies = environment.getOrDefault("NOTIFY_SOCKET", "").startsWith("@");
      scoped = FileAccess.SCOPE_SIGNAL | (notifies ? 0 : FileAccess.SCOPE_ABSTRACT_UNIX);
    }
    int r = ProcessCalls.landlockCreateRuleset(version, FileAccess.all(version), net, scoped);
    if (r < 0) {
      return without(
          mode, List.of("files and ports are not confined: Landlock: " + Errno.name(-r)));
    }
    Fd ruleset = Fd.of(r);
    for (FileRules.Rule rule : FileRules.of(places)) {
      allow(kernel, ruleset, rule, version);
    }
    if (ports) {
      for (int port : Bounds.portsOf(configuration)) {
        check("port " + port, ProcessCalls.landlockAllowPort(ruleset, FileAccess.BIND_TCP, port));
      }
    }
    List<String> lacks = new ArrayList<>();
    if (!ports) {
      lacks.add("TCP ports are not confined: Linux 6.7 would");
    }
    if (version < Bounds.SCOPES_SINCE) {
      lacks.add("signals and abstract UNIX sockets are not confined: Linux 6.12 would");
    }
    Bounds bounds =
        new Bounds(
            mode,
            version,
            ports ? Optional.of(Bounds.portsOf(configuration)) : Optional.empty(),
            connects || !ports,
            shown(places),
            lacks);
    return new Enclosure(bounds, ruleset);
  }

  private static Enclosure without(ConfinementMode mode, List<String> lacks) {
    return new Enclosure(new Bounds(mode, 0, Optional.empty(), true, List.of(), lacks), null);
  }

  /** Those that are of the configuration's making. */
  private static List<String> shown(FileRules.Places places) {
    List<String> shown = new ArrayList<>();
    places.configuration().forEach(path -> shown.add("read " + path));
    places.adminDirectory().ifPresent(path -> shown.add("admin socket " + path));
    return shown;
  }

  private static void allow(Kernel kernel, Fd ruleset, FileRules.Rule rule, int version)
      throws SystemCallException {
    int r = ProcessCalls.openPath(rule.path());
    if (r < 0) {
      // It is not there, or hidden from who starts this: then it is not needed.
      return;
    }
    Fd path = Fd.of(r);
    try {
      long rights = rule.rights() & FileAccess.all(version);
      if (!Files.isDirectory(Path.of(rule.path()))) {
        rights = FileAccess.ofFile(rights);
      }
      if (rights != 0) {
        check(rule.path(), ProcessCalls.landlockAllowPath(ruleset, rights, path));
      }
    } finally {
      kernel.close(path);
    }
  }

  private static void check(String what, int r) throws SystemCallException {
    if (r < 0) {
      throw new SystemCallException(
          "landlock_add_rule for " + what, -r, "confinement: off starts without");
    }
  }

  /** Confines the calling thread, and the program that it executes. Needs no_new_privs. */
  void enter() throws SystemCallException {
    if (ruleset != null) {
      int r = ProcessCalls.landlockRestrictSelf(ruleset);
      if (r < 0) {
        throw new SystemCallException(
            "landlock_restrict_self", -r, "confinement: off starts without");
      }
    }
  }
}
