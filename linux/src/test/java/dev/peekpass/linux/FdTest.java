package dev.peekpass.linux;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class FdTest {

  @Test
  void isAValue() {
    assertThat(Fd.of(7)).isEqualTo(Fd.of(7)).isNotEqualTo(Fd.of(8)).hasToString("fd 7");
    assertThat(Fd.of(1 << 20)).isEqualTo(Fd.of(1 << 20)).isNotSameAs(Fd.of(1 << 20));
  }

  @Test
  void namingAnOrdinaryDescriptorAllocatesNothing() {
    assertThat(Fd.of(65535)).isSameAs(Fd.of(65535));
  }
}
