package dev.peekpass.proxy.advice;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import org.junit.jupiter.api.Test;

class ReasonTest {
  @Test
  void whatSaysNothingIsNamed() {
    assertThat(Reason.of(new StackOverflowError())).isEqualTo("java.lang.StackOverflowError");
    assertThat(Reason.of(new IOException("no room"))).isEqualTo("no room");
  }
}
