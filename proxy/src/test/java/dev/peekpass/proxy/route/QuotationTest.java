package dev.peekpass.proxy.route;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class QuotationTest {
  @Test
  void quotesOnOneLine() {
    assertThat(Quotation.of("a b")).isEqualTo("\"a b\"");
    assertThat(Quotation.of("a\n\u001b[31m")).isEqualTo("\"a\\u000a\\u001b[31m\"");
    assertThat(Quotation.of("b\u00fccher")).isEqualTo("\"b\u00fccher\"");
  }

  @Test
  void shortensWhatIsLong() {
    assertThat(Quotation.of("a".repeat(80))).isEqualTo("\"" + "a".repeat(80) + "\"");
    assertThat(Quotation.of("a".repeat(81))).isEqualTo("\"" + "a".repeat(80) + "...\"");
  }
}
