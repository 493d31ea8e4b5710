package dev.peekpass.cli.stage;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import dev.peekpass.proxy.config.Privileges;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * As whom a proxy would serve if root started it, for {@code check}.
 *
 * @param name of the user, or its number
 */
public record Candidate(String name, int uid, int gid, List<Integer> groups) {
  /** There is no such user or group on this machine. */
  public static final class NotHereException extends IOException {
    private static final long serialVersionUID = 1;

    NotHereException(String message) {
      super(message);
    }
  }

  /**
   * Finds out.
   *
   * @return empty when the configuration does not say
   * @throws IOException with the remedy, when there is no such user or group
   */
  public static Optional<Candidate> of(Privileges privileges) throws IOException {
    if (privileges.user().isEmpty()) {
      return Optional.empty();
    }
    Identity identity = Identity.of(privileges, 0);
    return Optional.of(
        new Candidate(identity.name(), identity.uid(), identity.gid(), identity.groups()));
  }

  /**
   * What to say of a group of the configuration that this process cannot have.
   *
   * @param uid effective, of this process
   */
  public static Optional<String> ignoredGroup(Privileges privileges, int uid) throws IOException {
    List<String> status = Files.readAllLines(Path.of("/proc/self/status"), ISO_8859_1);
    return Identity.ignoredGroup(privileges, uid, status);
  }
}
