package dev.peekpass.proxy.route;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class RegexLimitsTest {
  @ParameterizedTest
  @ValueSource(
      strings = {
        "(((a)))(b)",
        "\\((((a)))",
        "[((((]",
        "a{256}b{256}",
        "a{0,255}{2}",
        "[{99999}]",
        "\\{99999}",
        "[\\](((((]"
      })
  void allows(String regex) {
    assertThat(RegexLimits.mistake(regex)).isNull();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "((((a))))",
        "(((\\()(?:x(y))))",
        "a{65537}",
        "a{1,65537}",
        "(a{256}){257}",
        "a{99999999999999999999999}",
        "((a{41}){40}){40}"
      })
  void refuses(String regex) {
    assertThat(RegexLimits.mistake(regex)).isNotNull();
  }
}
