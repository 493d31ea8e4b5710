package dev.peekpass.fuzz;

import dev.peekpass.proxy.config.ConfigurationReader;
import dev.peekpass.proxy.config.Mistake;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * The text of a configuration: it is one, or has mistakes that stand in it; read again it says the
 * same.
 */
public final class ConfigurationTarget {
  private static final int MOST_MISTAKES = 1001;
  private static final Draw DRAW = new Draw();

  private ConfigurationTarget() {}

  /** Takes one input: the text in UTF-8. */
  public static void fuzzerTestOneInput(byte[] input) {
    DRAW.from(input);
    String text = new String(input, StandardCharsets.UTF_8);
    ConfigurationReader.Result result = ConfigurationReader.read("f", text);
    List<Mistake> said = said(result);
    Promise.keep(
        result instanceof ConfigurationReader.Valid || !said.isEmpty(), "refused without a reason");
    Promise.keep(said.size() <= MOST_MISTAKES, "more mistakes than are kept");
    for (Mistake mistake : said) {
      Promise.keep(
          mistake.line() >= 1 && mistake.line() <= text.length() + 1 && mistake.column() >= 1,
          "a mistake that stands nowhere");
      Promise.keep(mistake.toString().startsWith("f:"), "a mistake without its place");
    }
    if (DRAW.oneIn(16)) {
      ConfigurationReader.Result again = ConfigurationReader.read("f", text);
      Promise.keep(
          again.getClass() == result.getClass() && said(again).equals(said),
          "read again it says otherwise");
    }
  }

  private static List<Mistake> said(ConfigurationReader.Result result) {
    return switch (result) {
      case ConfigurationReader.Valid valid -> valid.warnings();
      case ConfigurationReader.Mistakes mistakes -> mistakes.mistakes();
    };
  }
}
