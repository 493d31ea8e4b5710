package dev.peekpass.proxy.config;

import java.util.List;

/** Short ways to read a text. */
final class Texts {
  /** A configuration but for listeners. */
  static final String BACKENDS =
      """
      backends:
        web: { handoff: "unix:/run/web.sock" }
        mail: { handoff: "unix:/run/mail.sock" }
      """;

  private Texts() {}

  static Configuration valid(String text) {
    return switch (ConfigurationReader.read("f", text)) {
      case ConfigurationReader.Valid(Configuration configuration, List<Mistake> warnings) ->
          configuration;
      case ConfigurationReader.Mistakes(List<Mistake> mistakes, _) ->
          throw new AssertionError(mistakes.toString());
    };
  }

  /** Each as {@code LINE:COLUMN: message, remedy}. */
  static List<String> mistakes(String text) {
    return switch (ConfigurationReader.read("f", text)) {
      case ConfigurationReader.Valid(Configuration configuration, List<Mistake> warnings) ->
          List.of();
      case ConfigurationReader.Mistakes(List<Mistake> mistakes, _) -> lines(mistakes);
    };
  }

  static List<String> warnings(String text) {
    return ConfigurationReader.read("f", text) instanceof ConfigurationReader.Valid valid
        ? lines(valid.warnings())
        : List.of("not valid");
  }

  private static List<String> lines(List<Mistake> mistakes) {
    return mistakes.stream().map(mistake -> mistake.toString().substring("f:".length())).toList();
  }

  /** A configuration whose only listener has these further lines. */
  static String listener(String... lines) {
    return BACKENDS
        + "listeners:\n  - bind: \"[::]:443\"\n    "
        + String.join("\n    ", lines)
        + "\n";
  }
}
