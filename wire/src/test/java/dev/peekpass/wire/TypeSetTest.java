package dev.peekpass.wire;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class TypeSetTest {
  private final TypeSet set = new TypeSet(1 << 16);

  @Test
  void tellsEveryCodeFromEveryOther() {
    for (int code = 0; code < 1 << 16; code++) {
      assertThat(set.add(code)).isTrue();
    }
    for (int code = 0; code < 1 << 16; code++) {
      assertThat(set.add(code)).isFalse();
    }
  }

  @Test
  void clearForgetsAll() {
    for (int code = 0; code < 1 << 16; code += 7) {
      set.add(code);
    }
    set.clear();
    for (int code = 0; code < 1 << 16; code++) {
      assertThat(set.add(code)).isTrue();
    }
  }
}
