package dev.peekpass.proxy.admin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import org.junit.jupiter.api.Test;

/** What two processes say, as they read it, and as a log shows it. */
class TakeoverLineTest {
  private static final String ESCAPE = "\u001b[2J\u009b1m\u0085";

  @Test
  void theNewProcessSaysOneOfThreeThings() throws IOException {
    assertThat(TakeoverLine.ofNew("ready", 0)).isEqualTo(new TakeoverLine.Answer.Ready(false));
    assertThat(TakeoverLine.ofNew("ready admin", 0)).isEqualTo(new TakeoverLine.Answer.Ready(true));
    assertThat(TakeoverLine.ofNew("unwanted 2", 3)).isEqualTo(new TakeoverLine.Answer.Unwanted(2));
    assertThat(TakeoverLine.ofNew("refused it is root", 0))
        .isEqualTo(new TakeoverLine.Answer.Refused("it is root"));
    for (String other : new String[] {"", "Ready", "ready ", "refused", "unwanted 3", "unwanted"}) {
      assertThatThrownBy(() -> TakeoverLine.ofNew(other, 3)).isInstanceOf(IOException.class);
    }
  }

  @Test
  void noProcessWritesOverTheOthersLog() throws IOException {
    String plain = "[^\\p{Cc}]*";
    assertThat(TakeoverRefusal.line(ESCAPE)).matches(plain);
    assertThat(TakeoverLine.ofNew("refused " + ESCAPE, 0).toString()).matches(plain);
    for (String before : new String[] {"", "error ", "{\"ok\":false,\"error\":\""}) {
      assertThat(TakeoverRefusal.unexpected(before + ESCAPE + "\"}").getMessage()).matches(plain);
    }
  }

  @Test
  void aReasonIsNotCutWithinACharacter() {
    String fits = "x".repeat(LineBytes.REFUSAL_CHARS - "refused ".length() - 1);

    assertThat(TakeoverRefusal.line(fits + "\ud83d\ude00")).isEqualTo("refused " + fits);
    assertThat(TakeoverRefusal.line(fits + "ab")).isEqualTo("refused " + fits + "a");
  }

  @Test
  void anAnswerThatEndsInItsBeginningIsNone() {
    for (String cut : new String[] {"{\"ok\":false,\"error\":\"}", "error ", ""}) {
      assertThat(TakeoverRefusal.unexpected(cut)).hasMessageContaining("the running proxy");
    }
    assertThat(TakeoverRefusal.unexpected("{\"ok\":false,\"error\":\"\"}"))
        .hasMessageContaining("refuses");
  }
}
