package dev.peekpass.proxy.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

final class SectionTest {
  private static final Section.Keys KEYS =
      new Section.Keys("a thing", List.of("one", "other"), List.of("later"));

  private final Report report = new Report("f");

  private Section section(String text) {
    return Section.of(YamlReader.read(text, report).orElseThrow(), KEYS, report).orElseThrow();
  }

  private List<String> mistakes() {
    return report.mistakes().stream().map(Mistake::toString).toList();
  }

  @Test
  void reportsKeysThatItDoesNotKnow() {
    section("onw: 1\nlater: 2\nsomething: 3\none: 4\n");
    assertThat(mistakes())
        .containsExactly(
            "f:1:1: \"onw\" is not a key of a thing, did you mean \"one\"?",
            "f:2:1: \"later\" is not supported by this version, leave it out",
            "f:3:1: \"something\" is not a key of a thing, write one of one, other");
  }

  @Test
  void takesTheFirstOfTwoKeys() {
    assertThat(section("one: 1\none: 2\n").scalar("one").map(YamlNode.Scalar::text)).contains("1");
    assertThat(mistakes())
        .containsExactly("f:2:1: \"one\" stands at line 1 already, write each key once");
  }

  @Test
  void seesDuplicatesInALargeMappingToo() {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < 40; i++) {
      text.append("k").append(i % 39).append(": x\n");
    }
    YamlNode.Mapping mapping =
        (YamlNode.Mapping) YamlReader.read(text.toString(), report).orElseThrow();
    Section.checkDuplicates(mapping, report);
    assertThat(mistakes())
        .containsExactly("f:40:1: \"k0\" stands at line 1 already, write each key once");
  }

  @Test
  void readsBooleansOfTheCoreSchema() {
    for (String yes : List.of("true", "True", "TRUE")) {
      assertThat(section("one: " + yes).flag("one", false)).isTrue();
    }
    for (String no : List.of("false", "False", "FALSE")) {
      assertThat(section("one: " + no).flag("one", true)).isFalse();
    }
    assertThat(section("other: 1").flag("one", true)).isTrue();
    assertThat(mistakes()).isEmpty();
    assertThat(section("one: \"true\"").flag("one", false)).isFalse();
    assertThat(mistakes()).hasSize(1);
  }

  @Test
  void anEmptyValueIsNotASilentDefault() {
    assertThat(section("one:").count("one", 5, 1, 9)).isEqualTo(5);
    assertThat(mistakes()).containsExactly("f:1:5: \"one\" is empty, write a single value");
  }
}
