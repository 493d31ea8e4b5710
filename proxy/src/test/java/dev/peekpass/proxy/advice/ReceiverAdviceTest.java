package dev.peekpass.proxy.advice;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.OverflowUid;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReceiverAdviceTest {
  @TempDir private Path dir;

  @Test
  void whoeverIsNotAllowedIsToldHowToBe() {
    assertThat(ReceiverAdvice.allow(33))
        .contains("--allow-uid 33 ", "allowUid(33)", "+uid=33 ", "peer_uid=33 ");
    assertThat(ReceiverAdvice.allow(-6)).contains("--allow-uid 4294967290 ");
  }

  /** It stands for everybody whom a user namespace has no number for. */
  @Test
  void nobodyIsAdvisedToAllowTheOverflowUid() {
    assertThat(ReceiverAdvice.allow(OverflowUid.get()))
        .contains("map the proxy's user", "a user of its own")
        .doesNotContain("--allow-uid", "allowUid(", "+uid=", "peer_uid");
  }

  @Test
  void whatMayNotBeWrittenToIsToldByWhatItIs() throws Exception {
    String file = Files.createFile(dir.resolve("a")).toString();
    assertThat(ReceiverAdvice.mayNotConnect(file)).contains("this is no socket");
    assertThat(ReceiverAdvice.mayNotConnect(dir.resolve("absent").toString()))
        .contains("+group=G", "owner=root:G", "group()", "usermod -aG G USER", "anew");
  }
}
