package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.proxy.status.Outcome;
import java.io.IOException;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The manual names each outcome that a line of the access log can have, and no other. */
final class OutcomesDocumentTest {
  private static final Pattern NAME = Pattern.compile("`([a-z-]+)`");

  @Test
  void theListIsThatOfTheProgram() throws IOException {
    String text = Files.readString(Running.ROOT.resolve("docs/configuration.md"));
    String begin = "`outcome` is one of ";
    int from = text.indexOf(begin);
    assertThat(from).isPositive();
    // With those that have no line, and why.
    String list = text.substring(from + begin.length(), text.indexOf("have no line", from));
    List<String> names = NAME.matcher(list).results().map(one -> one.group(1)).toList();
    assertThat(names)
        .containsExactlyInAnyOrderElementsOf(
            Arrays.stream(Outcome.values()).map(Outcome::label).toList());
  }
}
