package dev.peekpass.cli;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class FlightLinesTest {
  private static final int LIMIT = 200_000;

  private static List<String> lines(String text) throws IOException {
    FlightLines lines = new FlightLines(new ByteArrayInputStream(text.getBytes(US_ASCII)), LIMIT);
    List<String> all = new ArrayList<>();
    for (int length = lines.next(); length != FlightLines.END; length = lines.next()) {
      all.add(
          length == FlightLines.TOO_LONG
              ? "too long"
              : new String(lines.line(), 0, length, US_ASCII));
    }
    assertThat(lines.next()).isEqualTo(FlightLines.END);
    return all;
  }

  @Test
  void anEmptyStreamHasNoLines() throws IOException {
    assertThat(lines("")).isEmpty();
  }

  @Test
  void linesEndWithLfOrCrLfOrTheStream() throws IOException {
    assertThat(lines("a\nbc\r\nd")).containsExactly("a", "bc", "d");
    assertThat(lines("a\n")).containsExactly("a");
  }

  @Test
  void anEmptyLineIsALine() throws IOException {
    assertThat(lines("\n\na\n\r\n")).containsExactly("", "", "a", "");
  }

  @Test
  void linesMayBeLongerThanABlockAndEndAnywhereInOne() throws IOException {
    String block = "x".repeat(1 << 16);
    assertThat(lines(block + "\n" + block + "y\nz")).containsExactly(block, block + "y", "z");
  }

  @Test
  void aLineOverTheLimitIsPassedOver() throws IOException {
    String longest = "x".repeat(LIMIT);
    assertThat(lines(longest + "\n" + longest + "x\nb")).containsExactly(longest, "too long", "b");
  }
}
