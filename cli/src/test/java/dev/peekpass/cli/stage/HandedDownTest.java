package dev.peekpass.cli.stage;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.ProcessCalls;
import dev.peekpass.proxy.TransferredSocket;
import dev.peekpass.proxy.admin.CarriedTakeover;
import dev.peekpass.proxy.config.ConfinementMode;
import dev.peekpass.proxy.confine.Bounds;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HandedDownTest {
  private static final HandedDown ALL =
      new HandedDown(
          "listeners:\n\n  - { bind: \"[::]:443\" } # ü\n",
          List.of(new TransferredSocket("[::]:443", Fd.of(7)), new TransferredSocket("", Fd.of(8))),
          Optional.of("/run/a b\\c\nd/admin.sock"),
          Optional.of(
              new CarriedTakeover(
                  Fd.of(9),
                  "2",
                  Long.MAX_VALUE,
                  List.of(new TransferredSocket("127.0.0.1:0", Fd.of(10))),
                  Set.of("shop", "web"),
                  "/run/old.sock",
                  Optional.of(Fd.of(11)),
                  true,
                  false,
                  "error it\n")),
          new Bounds(
              ConfinementMode.ENFORCE,
              7,
              Optional.of(new TreeSet<>(Set.of(0, 443))),
              false,
              List.of("read /etc/peekpass"),
              List.of("one thing", "another")));

  @Test
  void whatIsWrittenIsRead() throws Exception {
    assertThat(HandedDown.read(ALL.toBytes())).isEqualTo(ALL);
    HandedDown least =
        new HandedDown("", List.of(), Optional.empty(), Optional.empty(), Bounds.NONE);
    assertThat(HandedDown.read(least.toBytes())).isEqualTo(least);
    assertThat(ALL.descriptors()).extracting(Fd::number).containsExactly(7, 8, 9, 10, 11);
  }

  @Test
  void whatIsCutIsRefused() {
    byte[] whole = ALL.toBytes();
    int end = new String(whole, UTF_8).indexOf("\n\n");
    for (int i = 0; i < end; i++) {
      byte[] part = java.util.Arrays.copyOf(whole, i);
      assertThatThrownBy(() -> HandedDown.read(part)).isInstanceOf(IOException.class);
    }
  }

  @Test
  void anotherVersionsIsRefused() {
    assertThatThrownBy(() -> HandedDown.read("peekpass stage 2\n\n".getBytes(UTF_8)))
        .hasMessageContaining("replaced during the start");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "x", "-1", "999999", "9999999"})
  void whoSetsTheVariableHimselfIsTold(String number) {
    assertThatThrownBy(
            () -> HandedDown.find(LinuxKernel.open(), Map.of(HandedDown.VARIABLE, number)))
        .hasMessageContaining("for Peekpass's own use");
  }

  @Test
  void nobodyWritesItOnceItIsThereAndWhatCanBeWrittenIsRefused() throws Exception {
    LinuxKernel kernel = LinuxKernel.open();
    HandedDown least =
        new HandedDown("text", List.of(), Optional.empty(), Optional.empty(), Bounds.NONE);
    Fd memory = least.write(kernel);
    // As another process of the same user would.
    try (FileChannel other =
        FileChannel.open(Path.of("/proc/self/fd/" + memory.number()), StandardOpenOption.WRITE)) {
      ByteBuffer byteOfMine = ByteBuffer.wrap(new byte[] {'x'});
      assertThatThrownBy(() -> other.write(byteOfMine, 0)).hasMessageContaining("not permitted");
      assertThatThrownBy(() -> other.truncate(1)).hasMessageContaining("not permitted");
    }
    assertThat(found(kernel, memory)).contains(least);

    Fd open = Fd.of(kernel.memfdCreate(Linux.MFD_CLOEXEC | Linux.MFD_ALLOW_SEALING));
    assertThat(ProcessCalls.writeAll(kernel, open, least.toBytes())).isZero();
    assertThatThrownBy(() -> found(kernel, open)).hasMessageContaining("for Peekpass's own use");
    assertThat(kernel.close(open)).isZero();
  }

  /** Whatever somebody else has put into sealed memory: a sentence, and no stack trace. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "mode",
        "mode sideways",
        "landlock x",
        "port 1",
        "admin here",
        "admin /a\0b",
        "socket 7",
        "socket x 127.0.0.1:0",
        "socket -1 127.0.0.1:0",
        "socket 99999 127.0.0.1:0",
        "socket 99999999999 127.0.0.1:0",
        "taken 7",
        "takeover a b c d e",
        "takeover -7 2 1 true false",
        "old-admin 5",
        "something else"
      })
  void whatNoStartHasLeftIsOneSentence(String line) throws Exception {
    LinuxKernel kernel = LinuxKernel.open();
    String text = "peekpass stage 1\n" + line + "\n\nlisteners: []\n";
    Fd memory = Fd.of(kernel.memfdCreate(Linux.MFD_CLOEXEC | Linux.MFD_ALLOW_SEALING));
    assertThat(ProcessCalls.writeAll(kernel, memory, text.getBytes(UTF_8))).isZero();
    int seals = Linux.F_SEAL_WRITE | Linux.F_SEAL_GROW | Linux.F_SEAL_SHRINK | Linux.F_SEAL_SEAL;
    assertThat(kernel.fcntl(memory, Linux.F_ADD_SEALS, seals)).isZero();
    assertThatThrownBy(() -> found(kernel, memory))
        .isInstanceOf(IOException.class)
        .hasMessage("PEEKPASS_STAGE is for Peekpass's own use: take it out of the environment");
    kernel.close(memory);
  }

  /** Cut, or with any byte another: it is what it was meant to be, or an IOException. */
  @Test
  void noChangeOfAByteIsMoreThanAnIoException() {
    byte[] whole = ALL.toBytes();
    int end = new String(whole, UTF_8).indexOf("\n\n");
    int refused = 0;
    for (int i = 0; i < end; i++) {
      for (char other : "\n 0x-\\\0".toCharArray()) {
        byte[] changed = whole.clone();
        changed[i] = (byte) other;
        try {
          assertThat(HandedDown.read(changed)).isNotNull();
        } catch (IOException e) {
          refused++;
        }
      }
    }
    assertThat(refused).isPositive();
  }

  private static Optional<HandedDown> found(LinuxKernel kernel, Fd memory) throws IOException {
    return HandedDown.find(kernel, Map.of(HandedDown.VARIABLE, String.valueOf(memory.number())));
  }

  @Test
  void aFirstProgramHasNothing() throws Exception {
    assertThat(HandedDown.find(LinuxKernel.open(), Map.of())).isEmpty();
  }
}
