package dev.peekpass.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peekpass.receiver.SocketType;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class OptionsReaderTest {
  @TempDir private Path dir;

  private static Pair one(String argument) {
    List<Pair> pairs = OptionsReader.read(argument, null);
    assertThat(pairs).hasSize(1);
    return pairs.getFirst();
  }

  @Test
  void aPairHasDefaults() {
    Pair pair = one("127.0.0.1:8443=unix:/run/app.sock");

    assertThat(pair.hosts()).containsExactly(InetAddress.ofLiteral("127.0.0.1"));
    assertThat(pair.port()).isEqualTo(8443);
    assertThat(pair.path()).isEqualTo(Path.of("/run/app.sock"));
    assertThat(pair.type()).isEqualTo(SocketType.ACKNOWLEDGED);
    assertThat(pair.tcp()).isFalse();
    assertThat(pair.mode()).isNull();
    assertThat(pair.uids()).isEmpty();
  }

  @Test
  void modifiersStandBehindThePath() {
    Pair pair = one("*:1=unix:/a+datagram+tcp+mode=0640+owner=app+group=web+uid=33+uid=1000");

    assertThat(pair.hosts()).isNull();
    assertThat(pair.type()).isEqualTo(SocketType.DATAGRAM);
    assertThat(pair.tcp()).isTrue();
    assertThat(pair.mode()).isEqualTo("rw-r-----");
    assertThat(pair.owner()).isEqualTo("app");
    assertThat(pair.group()).isEqualTo("web");
    assertThat(pair.uids()).isEqualTo(Set.of(33, 1000));
  }

  @Test
  void aBackslashTakesTheMeaningFromWhatFollows() {
    assertThat(one("*:1=unix:/a\\,b\\+tcp\\\\c+tcp").path()).isEqualTo(Path.of("/a,b+tcp\\c"));
  }

  @Test
  void pairsComeFromFilesToo() throws Exception {
    Path file =
        Files.writeString(dir.resolve("options"), "# first\n*:1=unix:/a\n\n  [::1]:2=unix:/b\n");

    assertThat(OptionsReader.read("@" + file + ", *:3=unix:/c", null))
        .extracting(Pair::port)
        .containsExactly(1, 2, 3);
  }

  @Test
  void theEnvironmentCountsWhenThereIsNoArgument() {
    assertThat(OptionsReader.read("", "*:1=unix:/a").getFirst().port()).isOne();
    assertThat(OptionsReader.read("*:2=unix:/b", "*:1=unix:/a").getFirst().port()).isEqualTo(2);
  }

  @Test
  void aMistakeInAFileHasItsLine() throws Exception {
    Path file = Files.writeString(dir.resolve("options"), "# x\n*:1=unix:/a+x\n");

    assertThatThrownBy(() -> OptionsReader.read("@" + file, null))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith(file + ":2: *:1=unix:/a+x: +x is none of");
  }

  @ParameterizedTest
  @CsvSource({
    "*:1=unix:, unix:PATH",
    "*:65536=unix:/a, 0 to 65535",
    "*:-1=unix:/a, 0 to 65535",
    "*:=unix:/a, 0 to 65535",
    ":1=unix:/a, write HOST:PORT",
    "[::g]:1=unix:/a, is no IPv6 address",
    "*:1=unix:/a+mode=888, +mode=888 is none of",
    "*:1=unix:/a+mode=66, +mode=66 is none of",
    "*:1=unix:/a+uid=root, +uid=root is none of",
    "*:1=unix:/a+uid=65534, +uid=65534 stands for every user that has no number",
    "*:1=unix:/a+tcp=yes, +tcp=yes is none of",
    "*:1=unix:/a+owner, +owner is none of",
    "'*:1=unix:/a,0.0.0.0:1=unix:/b', names an address that",
    "'[::]:1=unix:/a,0.0.0.0:1=unix:/b', names an address that",
  })
  void saysWhatIsWrong(String options, String message) {
    assertThatThrownBy(() -> OptionsReader.read(options, null))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(message);
  }
}
