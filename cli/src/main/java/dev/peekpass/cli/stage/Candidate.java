package dev.peekpass.cli.stage;

import dev.peekpass.proxy.config.Privileges;
import java.io.IOException;
import java.util.List;
import java.util.Optional;

/**
 * As whom a proxy would serve if root started it, for {@code check}.
 *
 * @param name of the user, or its number
 */
public record Candidate(String name, int uid, int gid, List<Integer> groups) {
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
}
