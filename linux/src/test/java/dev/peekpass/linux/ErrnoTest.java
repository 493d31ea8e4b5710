package dev.peekpass.linux;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ErrnoTest {

  @Test
  void namesWhatTheKernelReports() {
    assertThat(Errno.name(Errno.EMFILE)).isEqualTo("EMFILE");
    assertThat(Errno.name(Errno.ETOOMANYREFS)).isEqualTo("ETOOMANYREFS");
    assertThat(Errno.name(11)).isEqualTo("EAGAIN");
    assertThat(Errno.name(95)).isEqualTo("EOPNOTSUPP");
  }

  @Test
  void anUnknownNumberIsShownAsItIs() {
    assertThat(Errno.name(9999)).isEqualTo("errno 9999");
    assertThat(Errno.name(0)).isEqualTo("errno 0");
    assertThat(Errno.name(-5)).isEqualTo("errno -5");
  }

  @Test
  void anExceptionSaysTheCallTheErrorAndTheRemedy() {
    assertThat(new SystemCallException("bind 127.0.0.1:80", Errno.EACCES, "run as root"))
        .hasMessage("bind 127.0.0.1:80: EACCES: run as root");
  }
}
