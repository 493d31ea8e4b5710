package dev.peekpass.proxy.admin;

import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.Stream;

/** Where the admin socket is when a configuration does not say. */
public final class AdminPath {
  private static final String NAME = "admin.sock";

  private AdminPath() {}

  /**
   * The first that there is of: the directory that systemd made for the service
   * (RuntimeDirectory=), {@code /run/peekpass} for root, the user's own runtime directory.
   *
   * @param uid the effective user
   * @param environment looked at for RUNTIME_DIRECTORY and XDG_RUNTIME_DIR
   * @return an absolute path, or empty when this user has no such place
   */
  public static Optional<String> standard(int uid, Map<String, String> environment) {
    String service = environment.getOrDefault("RUNTIME_DIRECTORY", "");
    if (service.startsWith("/")) {
      // systemd.exec(5): several are separated by colons.
      return Optional.of(service.split(":", 2)[0] + "/" + NAME);
    }
    if (uid == 0) {
      return Optional.of("/run/peekpass/" + NAME);
    }
    String user = environment.getOrDefault("XDG_RUNTIME_DIR", "");
    return user.startsWith("/") ? Optional.of(user + "/peekpass/" + NAME) : Optional.empty();
  }

  /**
   * Where to look for a proxy whose configuration names no socket. One that names a user may have
   * been started by root, whose place is another than that of the user that asks.
   *
   * @param uid who asks
   * @param namesUser whether the configuration has {@code user}
   * @param isThere whether there is something at a path
   * @return empty when there is no such place
   */
  public static Optional<String> toAsk(
      int uid, Map<String, String> environment, boolean namesUser, Predicate<String> isThere) {
    Optional<String> own = standard(uid, environment);
    Optional<String> roots = standard(0, Map.of()).filter(path -> namesUser);
    return own.filter(isThere).or(() -> roots.filter(isThere)).or(() -> own).or(() -> roots);
  }

  /**
   * Whether a socket's directory is this program's own: one that systemd made for the service, or
   * the standard one.
   *
   * @param path absolute
   */
  public static boolean isStandardPlace(String path, int uid, Map<String, String> environment) {
    Path directory = Path.of(path).getParent();
    if (directory == null) {
      return false;
    }
    String service = environment.getOrDefault("RUNTIME_DIRECTORY", "");
    return Stream.of(service.split(":", -1))
            .anyMatch(one -> one.startsWith("/") && directory.equals(Path.of(one)))
        || standard(uid, Map.of())
            .map(Path::of)
            .map(Path::getParent)
            .equals(Optional.of(directory));
  }
}
