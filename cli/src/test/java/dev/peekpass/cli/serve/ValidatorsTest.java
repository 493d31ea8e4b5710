package dev.peekpass.cli.serve;

import static dev.peekpass.cli.serve.Validators.Verdict.FAILED;
import static dev.peekpass.cli.serve.Validators.Verdict.NOT_MODIFIED;
import static dev.peekpass.cli.serve.Validators.Verdict.PROCEED;
import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.cli.serve.RequestHead.Field;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

class ValidatorsTest {
  private static final Instant NOW = Instant.parse("2026-11-01T12:00:00Z");
  private static final Instant MODIFIED = Instant.parse("2026-10-01T12:00:00.5Z");
  private static final String SAME = "Thu, 01 Oct 2026 12:00:00 GMT";
  private static final String EARLIER = "Thu, 01 Oct 2026 11:59:59 GMT";
  private static final String LATER = "Thu, 01 Oct 2026 12:00:01 GMT";

  private final Validators file = Validators.of(MODIFIED, 10);

  private static RequestHead with(String... namesAndValues) {
    List<Field> fields = new ArrayList<>();
    for (int i = 0; i < namesAndValues.length; i += 2) {
      fields.add(new Field(namesAndValues[i], namesAndValues[i + 1]));
    }
    return new RequestHead("GET", "/", 1, fields, OptionalLong.of(0));
  }

  private Validators.Verdict judge(String... namesAndValues) {
    return file.judge(with(namesAndValues), NOW);
  }

  @Test
  void theTagChangesWithTimeAndSize() {
    assertThat(Validators.of(MODIFIED, 10)).isEqualTo(file);
    assertThat(Validators.of(MODIFIED, 11).entityTag()).isNotEqualTo(file.entityTag());
    assertThat(Validators.of(MODIFIED.plusNanos(1000), 10).entityTag())
        .isNotEqualTo(file.entityTag());
  }

  @Test
  void withoutConditionsProceeds() {
    assertThat(judge()).isEqualTo(PROCEED);
  }

  @Test
  void ifNoneMatchComparesWeakly() {
    assertThat(judge("if-none-match", file.entityTag())).isEqualTo(NOT_MODIFIED);
    assertThat(judge("if-none-match", "W/" + file.entityTag())).isEqualTo(NOT_MODIFIED);
    assertThat(judge("if-none-match", "\"a\", " + file.entityTag())).isEqualTo(NOT_MODIFIED);
    assertThat(judge("if-none-match", "*")).isEqualTo(NOT_MODIFIED);
    assertThat(judge("if-none-match", "\"a\"")).isEqualTo(PROCEED);
  }

  @Test
  void ifModifiedSinceComparesWholeSeconds() {
    assertThat(judge("if-modified-since", SAME)).isEqualTo(NOT_MODIFIED);
    assertThat(judge("if-modified-since", LATER)).isEqualTo(NOT_MODIFIED);
    assertThat(judge("if-modified-since", EARLIER)).isEqualTo(PROCEED);
    assertThat(judge("if-modified-since", "yesterday")).isEqualTo(PROCEED);
  }

  @Test
  void ifNoneMatchWinsOverIfModifiedSince() {
    assertThat(judge("if-none-match", "\"a\"", "if-modified-since", SAME)).isEqualTo(PROCEED);
  }

  @Test
  void ifMatchComparesStrongly() {
    assertThat(judge("if-match", file.entityTag())).isEqualTo(PROCEED);
    assertThat(judge("if-match", "*")).isEqualTo(PROCEED);
    assertThat(judge("if-match", "W/" + file.entityTag())).isEqualTo(FAILED);
    assertThat(judge("if-match", "\"a\"")).isEqualTo(FAILED);
  }

  @Test
  void ifUnmodifiedSinceFailsForAChangedFile() {
    assertThat(judge("if-unmodified-since", EARLIER)).isEqualTo(FAILED);
    assertThat(judge("if-unmodified-since", SAME)).isEqualTo(PROCEED);
    assertThat(judge("if-unmodified-since", EARLIER, "if-match", "*")).isEqualTo(PROCEED);
  }

  @Test
  void ifRangeNeedsTheSameState() {
    assertThat(file.allowsRange(with(), NOW)).isTrue();
    assertThat(file.allowsRange(with("if-range", file.entityTag()), NOW)).isTrue();
    assertThat(file.allowsRange(with("if-range", "W/" + file.entityTag()), NOW)).isFalse();
    assertThat(file.allowsRange(with("if-range", "\"a\""), NOW)).isFalse();
    assertThat(file.allowsRange(with("if-range", SAME), NOW)).isTrue();
    assertThat(file.allowsRange(with("if-range", LATER), NOW)).isFalse();
  }

  @Test
  void aDateIsNoProofInTheSecondOfTheChange() {
    assertThat(file.allowsRange(with("if-range", SAME), MODIFIED)).isFalse();
  }
}
