package dev.peekpass.proxy.admin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class LineBufferTest {
  private static final int MAX_BYTES = 8;

  private static List<String> lines(String text, int piece) throws IOException {
    LineBuffer buffer = new LineBuffer();
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    List<String> lines = new ArrayList<>();
    for (int at = 0; at < bytes.length; at += piece) {
      int length = Math.min(piece, bytes.length - at);
      buffer.add(ByteBuffer.wrap(bytes, at, length).slice(), length);
      for (String line = buffer.next(MAX_BYTES); line != null; line = buffer.next(MAX_BYTES)) {
        lines.add(line);
      }
    }
    lines.add(buffer.isEmpty() ? "" : "(cut short)");
    return lines;
  }

  @Test
  void linesAreTheSameInAnyPieces() throws IOException {
    for (int piece = 1; piece < 30; piece++) {
      assertThat(lines("one\n\ntw\u00f6\n12345678\nrest", piece))
          .containsExactly("one", "", "tw\u00f6", "12345678", "(cut short)");
      assertThat(lines("one\n", piece)).containsExactly("one", "");
    }
  }

  @Test
  void aLineThatIsTooLongIsRefusedInAnyPieces() {
    for (int piece = 1; piece < 30; piece++) {
      int size = piece;
      assertThatThrownBy(() -> lines("one\n123456789\ntwo\n", size))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("over 8 bytes");
    }
  }
}
