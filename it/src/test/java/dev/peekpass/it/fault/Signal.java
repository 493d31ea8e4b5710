package dev.peekpass.it.fault;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;

/** What processes are sent. */
enum Signal {
  STOP,
  CONT,
  USR1;

  void send(long pid) throws IOException {
    Process kill = new ProcessBuilder("kill", "-" + name(), "" + pid).start();
    try {
      assertThat(kill.waitFor()).isZero();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
