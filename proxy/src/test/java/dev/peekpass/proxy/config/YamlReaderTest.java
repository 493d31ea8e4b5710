package dev.peekpass.proxy.config;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class YamlReaderTest {
  private final Report report = new Report("f");

  private YamlNode read(String text) {
    YamlNode root = YamlReader.read(text, report).orElseThrow();
    assertThat(report.mistakes()).isEmpty();
    return root;
  }

  private String mistake(String text) {
    YamlReader.read(text, report);
    assertThat(report.mistakes()).hasSize(1);
    return report.mistakes().getFirst().toString();
  }

  @Test
  void keepsPlacesFromOne() {
    YamlNode.Mapping root = (YamlNode.Mapping) read("# c\na: b\n\u00fc: [1, \"x\"]\n");
    assertThat(root.entries().get(0).key()).isEqualTo(new YamlNode.Scalar("a", true, 2, 1));
    assertThat(root.entries().get(0).value()).isEqualTo(new YamlNode.Scalar("b", true, 2, 4));
    YamlNode.Sequence list = (YamlNode.Sequence) root.entries().get(1).value();
    assertThat(list.column()).isEqualTo(4);
    assertThat(list.items().get(0)).isEqualTo(new YamlNode.Scalar("1", true, 3, 5));
    assertThat(list.items().get(1)).isEqualTo(new YamlNode.Scalar("x", false, 3, 8));
  }

  @Test
  void followsAliases() {
    YamlNode.Mapping root = (YamlNode.Mapping) read("a: &x [1, 2]\nb: *x\nc: &y z\nd: *y\n");
    assertThat(root.entries().get(1).value()).isEqualTo(root.entries().get(0).value());
    assertThat(root.entries().get(3).value()).isEqualTo(root.entries().get(2).value());
  }

  @Test
  void stopsAliasesThatMultiply() {
    StringBuilder bomb = new StringBuilder("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 12; i++) {
      String last = "*a" + (i - 1);
      bomb.append("a").append(i).append(": &a").append(i).append(" [").append(last);
      bomb.append((", " + last).repeat(9)).append("]\n");
    }
    assertThat(mistake(bomb.toString())).contains("aliases stand for more than");
  }

  @Test
  void anAliasWithinItsOwnAnchorIsNone() {
    assertThat(mistake("a: &x [*x]")).startsWith("f:1:8: no anchor is named \"x\"");
  }

  @Test
  void stopsDeepNesting() {
    assertThat(mistake("[".repeat(100_000))).startsWith("f:1:17: lists and mappings nest");
    assertThat(YamlReader.read("[".repeat(16) + "]".repeat(16), new Report("f"))).isPresent();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "bind: *:443|f:1:7: |\"*:443\"",
        "host: *.example.com|f:1:8: |in quotes",
        "bind: [::]:443|f:1:8: |put an address with colons in quotes",
        "a: !!int 3|f:1:4: |without a tag",
        "? [a]|f:1:3: |write a single word as the key",
        "a: \"x|f:1:6: |quotes",
        "a: b: c|f:1:5: |indentation",
      })
  void pointsAtWhatIsNotYaml(String text, String place, String remedy) {
    assertThat(mistake(text)).startsWith(place).contains(remedy);
  }

  @Test
  void refusesTabsAsIndentation() {
    assertThat(mistake("a:\n\t- b")).startsWith("f:2:1: ").contains("with spaces");
  }

  @Test
  void refusesASecondDocument() {
    assertThat(mistake("a: 1\n---\nb: 2\n")).startsWith("f:2:1: a second document begins");
  }

  @Test
  void namesACharacterThatYamlForbids() {
    assertThat(mistake("a: 1\nbc\u0001")).startsWith("f:2:3: the character U+0001");
  }

  @Test
  void survivesEscapesThatTheEngineThrowsOn() {
    assertThat(mistake("a: \"\\UFFFFFFFF\"")).startsWith("f:1:").contains("malformed escape");
  }
}
