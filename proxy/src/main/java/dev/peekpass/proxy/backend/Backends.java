package dev.peekpass.proxy.backend;

import dev.peekpass.proxy.config.BackendConfig;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.status.BackendStatus;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** The backends of one configuration, as one loop sees them. */
public final class Backends {
  /** By their index in the configuration. */
  private final Backend[] all;

  private final Map<String, Backend> byName = new HashMap<>();

  /**
   * Makes the backends of a configuration; those that say the same as before are the same objects.
   *
   * @param before the loop's latest, or null for its first
   * @param made makes one that is new or says something else
   */
  public Backends(
      @Nullable Backends before,
      Configuration configuration,
      Function<BackendConfig, Backend> made) {
    all = new Backend[configuration.backends().size()];
    for (BackendConfig config : configuration.backends()) {
      Backend same = before == null ? null : before.byName.get(config.name());
      Backend backend = same != null && same.config().isSameAs(config) ? same : made.apply(config);
      all[config.index()] = backend;
      byName.put(config.name(), backend);
    }
  }

  /** The backend of an index in the configuration. */
  public Backend at(int index) {
    return all[index];
  }

  /** The backend of a name that the configuration has. */
  public Backend named(String name) {
    return Objects.requireNonNull(byName.get(name), name);
  }

  /** All of them, in the order of the configuration. */
  public List<Backend> all() {
    return List.of(all);
  }

  /**
   * Whether a backend's connections come to another by its backups, or are its own.
   *
   * @param from where a connection was given first
   */
  public boolean leadsTo(Backend from, Backend other) {
    Backend at = from;
    // The configuration has no ring of backups (BackendReader): the chain is shorter than this.
    for (int i = 0; i <= all.length; i++) {
      if (at == other) {
        return true;
      }
      if (at.config().backup().isEmpty()) {
        return false;
      }
      at = named(at.config().backup().get());
    }
    return false;
  }

  /** What they are doing, in the order of the configuration. */
  public List<BackendStatus> status() {
    return all().stream().map(Backend::status).toList();
  }
}
