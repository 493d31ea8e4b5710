package dev.peekpass.proxy.config;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class ReportTest {
  private final Report report = new Report("f");

  @Test
  void sortsByPlace() {
    report.mistake(2, 1, "c", "r");
    report.mistake(1, 9, "b", "r");
    report.mistake(1, 2, "a", "r");
    assertThat(report.mistakes()).extracting(Mistake::message).containsExactly("a", "b", "c");
  }

  @Test
  void countsWhatItDoesNotKeep() {
    for (int i = 1; i <= Report.MAX_MISTAKES + 7; i++) {
      report.mistake(i, 1, "m", "r");
    }
    assertThat(report.isFull()).isTrue();
    assertThat(report.mistakes()).hasSize(Report.MAX_MISTAKES + 1);
    assertThat(report.mistakes().getLast().message()).isEqualTo("there are 7 more mistakes");
  }

  @Test
  void warningsAreNoMistakes() {
    report.warning(1, 1, "w", "r");
    assertThat(report.hasMistakes()).isFalse();
    assertThat(report.warnings()).singleElement().asString().isEqualTo("f:1:1: w, r");
  }
}
