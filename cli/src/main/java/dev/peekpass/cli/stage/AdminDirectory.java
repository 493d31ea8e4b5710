package dev.peekpass.cli.stage;

import dev.peekpass.linux.Kernel;
import dev.peekpass.proxy.admin.AdminPath;
import dev.peekpass.proxy.admin.AdminSocket;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.config.ConfinementMode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The admin socket's directory, of whoever starts: made, and given to who is to serve.
 *
 * @param path of the socket, absolute
 * @param named whether the configuration says so
 * @param standard whether the directory is a start's own by its name, and may be given away
 */
public record AdminDirectory(String path, boolean named, boolean standard) {
  private static final Logger LOG = LoggerFactory.getLogger("dev.peekpass.cli");

  private static final Path ROOT = Path.of("/");

  /**
   * Finds out; changes nothing.
   *
   * @param starter who starts, by its effective uid
   * @return empty when there is no place for an admin socket
   */
  public static Optional<AdminDirectory> of(
      Configuration configuration, int starter, Map<String, String> environment) {
    return configuration
        .adminPath()
        .or(() -> AdminPath.standard(starter, environment))
        .map(path ->
            new AdminDirectory(
                path,
                configuration.adminPath().isPresent(),
                AdminPath.isStandardPlace(path, starter, environment)));
  }

  /** Where it is. */
  public Path directory() {
    return Objects.requireNonNullElse(Path.of(path).getParent(), ROOT);
  }

  /** Why a proxy cannot have it there: what is allowed there is allowed for all beneath. */
  public Optional<String> mistake(ConfinementMode mode) {
    return mode == ConfinementMode.ENFORCE && directory().equals(ROOT)
        ? Optional.of(
            "admin socket unix:%s: a confined proxy's cannot be directly in /, where it could make and remove sockets and files everywhere: write a path in a directory of its own, such as /run/peekpass, or leave admin out"
                .formatted(path))
        : Optional.empty();
  }

  /** Whether root's start gives it to a user, or it is that user's already. */
  public boolean isToBeGiven(int uid) {
    return standard && AdminSocket.isToBeGiven(path, uid);
  }

  /** Makes a default one, if there is none. */
  void make() {
    try {
      if (!named) {
        AdminSocket.makeDirectory(path);
      }
    } catch (IOException e) {
      // The second program says that there is no admin socket, and why.
      LOG.debug("admin socket: {}", e.toString());
    }
  }

  /** What gives it back to whose it is now. */
  Runnable restorer() {
    try {
      Object uid = Files.getAttribute(directory(), "unix:uid");
      Object gid = Files.getAttribute(directory(), "unix:gid");
      return () -> {
        try {
          Files.setAttribute(directory(), "unix:uid", uid);
          Files.setAttribute(directory(), "unix:gid", gid);
        } catch (IOException e) {
          LOG.debug("admin socket: {}", e.toString());
        }
      };
    } catch (IOException e) {
      // Then there is nothing to give.
      return () -> {};
    }
  }

  /**
   * Gives it away, if it may be. What the running proxy has stays as it is: its file is replaced by
   * the second program, once nothing can fail.
   *
   * @param takenOver whether the proxy that answers there is taken over
   */
  void give(Kernel kernel, Identity identity, boolean takenOver) {
    try {
      if (identity.changes()
          && standard
          && !AdminSocket.giveDirectory(kernel, path, identity.uid(), identity.gid(), takenOver)) {
        LOG.debug("admin socket: others use the directory of {}", path);
      }
    } catch (IOException e) {
      // The second program, or the look as that user, says that there is no admin socket, and why.
      LOG.debug("admin socket: {}", e.toString());
    }
  }
}
