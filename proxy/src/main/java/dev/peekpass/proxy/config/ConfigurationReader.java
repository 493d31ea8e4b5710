package dev.peekpass.proxy.config;

import dev.peekpass.proxy.route.RouteTable;
import java.util.List;
import java.util.Optional;

/** Reads a configuration. */
public final class ConfigurationReader {
  /** The longest text, in characters: some five million routes. */
  public static final int MAX_CHARS = 256 * 1024 * 1024;

  private static final Section.Keys KEYS =
      new Section.Keys(
          "a configuration",
          List.of(
              "threads",
              "access-log",
              "admin",
              "max-pending-per-client",
              "max-new-per-client",
              "client-prefix",
              "user",
              "group",
              "confinement",
              "listeners",
              "backends",
              "routes",
              "fallback"),
          List.of(),
          List.of(ListenerReader.KEYS, BackendReader.KEYS));

  /** What became of a text. */
  public sealed interface Result {}

  /**
   * The text is a configuration.
   *
   * @param configuration what it says
   * @param warnings what is probably not meant, by place
   */
  public record Valid(Configuration configuration, List<Mistake> warnings) implements Result {
    /** Copies the list. */
    public Valid {
      warnings = List.copyOf(warnings);
    }
  }

  /**
   * The text is none.
   *
   * @param mistakes all that is wrong, at least one, by place; behind the first thousand only their
   *     number
   * @param read whether there is a text; else the only one says why there is none
   */
  public record Mistakes(List<Mistake> mistakes, boolean read) implements Result {
    /** Copies the list. */
    public Mistakes {
      mistakes = List.copyOf(mistakes);
    }

    Mistakes(List<Mistake> mistakes) {
      this(mistakes, true);
    }

    /** There is no text. */
    public static Mistakes unreadable(Mistake why) {
      return new Mistakes(List.of(why), false);
    }
  }

  private final Report report;
  private final BackendNames names;

  private ConfigurationReader(Report report) {
    this.report = report;
    this.names = new BackendNames(report);
  }

  /**
   * Reads a text. Never throws for any text; touches no file and no socket.
   *
   * @param fileName for messages
   * @param text YAML 1.2, described in docs/configuration.md
   */
  public static Result read(String fileName, String text) {
    Report report = new Report(fileName);
    Optional<Configuration> configuration = new ConfigurationReader(report).read(text);
    return configuration.isPresent() && !report.hasMistakes()
        ? new Valid(configuration.get(), report.warnings())
        : new Mistakes(report.mistakes());
  }

  private Optional<Configuration> read(String text) {
    if (text.length() > MAX_CHARS) {
      report.mistake(1, 1, "the file has over " + MAX_CHARS + " characters", "write a smaller one");
      return Optional.empty();
    }
    boolean byteOrderMark = text.startsWith("\ufeff");
    Optional<YamlNode> root = YamlReader.read(byteOrderMark ? text.substring(1) : text, report);
    if (root.isEmpty() || (root.get() instanceof YamlNode.Scalar scalar && scalar.isNull())) {
      if (!report.hasMistakes()) {
        report.mistake(1, 1, "the file is empty", "write at least listeners");
      }
      return Optional.empty();
    }
    return Section.of(root.get(), KEYS, report).map(this::configuration);
  }

  private Configuration configuration(Section section) {
    int threads = section.count("threads", 1, 1, 64);
    boolean accessLog = section.flag("access-log", false);
    Optional<String> admin =
        section.scalar("admin").flatMap(at -> report.good(at, BackendReader.unixPath(at.text())));
    ClientLimits perClient = new AdmissionReader(report).limits(section, ClientPrefix.STANDARD);
    List<BackendConfig> backends =
        section
            .value("backends")
            .map(node -> new BackendReader(report, names).read(node))
            .orElse(List.of());
    Optional<Fallback> fallback =
        section
            .value("fallback")
            .map(node -> new FallbackReader(report, names).read(node))
            .orElse(Optional.of(FallbackReader.STANDARD));
    RouteTable routes =
        section
            .list("routes")
            .map(list -> new RouteReader(report, names).read(list))
            .orElseGet(RouteTable::empty);
    if (!section.has("listeners")) {
      report.mistake(
          section.node(), "there is no listener", "write listeners: [ { bind: \"[::]:443\" } ]");
    }
    List<ListenerConfig> listeners =
        section
            .list("listeners")
            .map(list ->
                new ListenerReader(report, names, perClient.prefix(), routes, fallback).read(list))
            .orElse(List.of());
    warnOfUnused(section, backends);
    return new Configuration(
        threads,
        accessLog,
        admin,
        perClient,
        new PrivilegesReader(report).read(section),
        listeners,
        backends,
        routes,
        fallback.orElse(FallbackReader.STANDARD));
  }

  private void warnOfUnused(Section section, List<BackendConfig> backends) {
    if (!(section.value("backends").orElse(null) instanceof YamlNode.Mapping mapping)) {
      return;
    }
    for (BackendConfig backend : backends) {
      if (!names.isUsed(backend.index())) {
        YamlNode.Scalar name = mapping.entries().get(backend.index()).key();
        report.warning(
            name.line(),
            name.column(),
            "no route and no fallback uses backend \"" + backend.name() + "\"",
            "remove it, or write a route");
      }
    }
  }
}
