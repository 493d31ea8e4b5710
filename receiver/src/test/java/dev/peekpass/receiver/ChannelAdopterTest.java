package dev.peekpass.receiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChannelAdopterTest {
  @TempDir Path dir;

  /** Opens a receiver in a JVM of its own. */
  static final class Opening {
    private Opening() {}

    static void main(String[] arguments) throws IOException {
      try (Receiver receiver = Receiver.builder(Path.of(arguments[0])).open()) {
        System.out.println("open at " + receiver.localPath());
      } catch (IllegalStateException e) {
        System.out.println(e.getMessage());
      }
    }
  }

  private String open(String... flags) throws IOException {
    try (Child child = new Child(Child.java(flags))) {
      return child.output();
    }
  }

  @Test
  @Tag("processes")
  void withoutTheOpenPackageItNamesTheFlags() throws Exception {
    assertThat(
            open(
                "--enable-native-access=ALL-UNNAMED",
                Opening.class.getName(),
                dir.resolve("a").toString()))
        .contains(
            "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED --enable-native-access=ALL-UNNAMED",
            "--add-opens=java.base/sun.nio.ch=dev.peekpass.receiver",
            "--enable-native-access=dev.peekpass.linux",
            "\"Add-Opens: java.base/sun.nio.ch\"",
            "\"Enable-Native-Access: ALL-UNNAMED\"");
    assertThat(dir).isEmptyDirectory();
  }

  @Test
  @Tag("processes")
  void withoutNativeAccessItNamesTheFlags() throws Exception {
    assertThat(
            open(
                "--illegal-native-access=deny",
                "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
                Opening.class.getName(),
                dir.resolve("a").toString()))
        .contains(
            "this JVM may not call native code",
            "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED --enable-native-access=ALL-UNNAMED");
    assertThat(dir).isEmptyDirectory();
  }

  @Test
  @Tag("processes")
  void withTheFlagsThatItNamesItOpens() throws Exception {
    String[] flags =
        JvmFlags.REMEDY
            .lines()
            .filter(line -> line.contains("class path:"))
            .findFirst()
            .orElseThrow()
            .replace("class path:", "")
            .strip()
            .split(" ", -1);
    String[] all = java.util.Arrays.copyOf(flags, flags.length + 3);
    all[flags.length] = "--illegal-native-access=deny";
    all[flags.length + 1] = Opening.class.getName();
    all[flags.length + 2] = dir.resolve("a").toString();
    assertThat(open(all)).isEqualTo("open at " + dir.resolve("a"));
  }

  @Test
  void aJdkThatHasMovedThingsIsToldWhatIsMissing() {
    assertThatThrownBy(() -> ChannelAdopter.resolve("sun.nio.moved"))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("has no sun.nio.moved.SocketChannelImpl")
        .hasMessageContaining(Runtime.version().toString());
  }
}
