package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Each promise of docs/threat-model.md names a test that holds it, and that test is there. */
class ThreatModelTest {
  private static final int COLUMNS = 4;
  private static final Pattern TEST =
      Pattern.compile("`([A-Z][A-Za-z0-9]*Test)(?:#([A-Za-z0-9_]+))?`");

  @Test
  void eachPromiseNamesATestThatIsThere() throws IOException {
    List<String> wrong = new ArrayList<>();
    int promises = 0;
    for (String row : rows()) {
      promises++;
      String[] cells = row.substring(2, row.length() - 2).split(" \\| ", -1);
      if (cells.length != COLUMNS) {
        wrong.add("has " + cells.length + " columns: " + row);
        continue;
      }
      Matcher tests = TEST.matcher(cells[COLUMNS - 1]);
      int named = 0;
      while (tests.find()) {
        named++;
        if (!isThere(tests.group(1), tests.group(2))) {
          wrong.add("is not there: " + tests.group());
        }
      }
      if (named == 0) {
        wrong.add("names no test: " + row);
      }
    }
    assertThat(promises).isGreaterThan(25);
    assertThat(wrong).isEmpty();
  }

  /** The rows of the table of attackers, without its head. */
  private static List<String> rows() throws IOException {
    return Files.readAllLines(Running.ROOT.resolve("docs/threat-model.md")).stream()
        .dropWhile(line -> !line.startsWith("| attacker |"))
        .skip(2)
        .takeWhile(line -> line.startsWith("| "))
        .toList();
  }

  private static boolean isThere(String type, @Nullable String method) throws IOException {
    for (Path module : modules()) {
      Path tests = module.resolve("src/test/java");
      if (!Files.isDirectory(tests)) {
        continue;
      }
      try (Stream<Path> files = Files.walk(tests)) {
        for (Path file : files.filter(it -> it.endsWith(type + ".java")).toList()) {
          if (method == null || Files.readString(file).contains(" " + method + "(")) {
            return true;
          }
        }
      }
    }
    return false;
  }

  private static List<Path> modules() throws IOException {
    try (Stream<Path> files = Files.list(Running.ROOT)) {
      return files.filter(file -> Files.exists(file.resolve("pom.xml"))).toList();
    }
  }
}
