package dev.peekpass.wire;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;

class CursorTest {
  private static final ByteBuffer BYTES = ByteBuffer.wrap(new byte[] {9, 1, 2, 3, (byte) 0xff, 9});

  private final Cursor cursor = new Cursor().over(BYTES, 1, 5);

  @Test
  void readsBigEndianWhateverTheBuffersOrder() {
    cursor.over(BYTES.duplicate().order(ByteOrder.LITTLE_ENDIAN), 1, 5);
    assertThat(cursor.u16()).isEqualTo(0x0102);
    assertThat(cursor.u8()).isEqualTo(3);
    assertThat(cursor.u8()).isEqualTo(0xff);
    assertThat(cursor.all()).isTrue();
    assertThat(cursor.over(BYTES, 2, 5).u24()).isEqualTo(0x0203ff);
  }

  @Test
  void anOverrunSticksYieldsZeroAndLeavesNothing() {
    assertThat(cursor.u24()).isEqualTo(0x010203);
    assertThat(cursor.u16()).isZero();
    assertThat(cursor.overrun()).isTrue();
    assertThat(cursor.isEmpty()).isTrue();
    assertThat(cursor.all()).isFalse();
    assertThat(cursor.u8()).isZero();
    assertThat(cursor.u24()).isZero();
  }

  @Test
  void readingTheLastByteIsNoOverrun() {
    cursor.take(3);
    assertThat(cursor.remaining()).isEqualTo(1);
    assertThat(cursor.all()).isFalse();
    cursor.u8();
    assertThat(cursor.all()).isTrue();
  }

  @Test
  void takeTellsWhereTheBytesAre() {
    assertThat(cursor.take(2)).isEqualTo(1);
    assertThat(cursor.take(2)).isEqualTo(3);
    assertThat(cursor.take(1)).isEqualTo(5);
    assertThat(cursor.overrun()).isTrue();
  }

  @Test
  void subIsBoundedByItsOwnEnd() {
    Cursor part = new Cursor();
    cursor.sub(2, part);
    assertThat(part.u24()).isZero();
    assertThat(part.overrun()).isTrue();
    assertThat(cursor.overrun()).isFalse();
    assertThat(cursor.u8()).isEqualTo(3);
  }

  @Test
  void subPastTheEndIsEmptyAndOverrunOnBothSides() {
    Cursor part = new Cursor();
    cursor.sub(5, part);
    assertThat(part.isEmpty()).isTrue();
    assertThat(part.overrun()).isTrue();
    assertThat(cursor.overrun()).isTrue();
  }

  @Test
  void overForgetsAnOverrun() {
    cursor.take(9);
    assertThat(cursor.over(BYTES, 0, 1).overrun()).isFalse();
  }

  @Test
  void aRangeOutsideTheBufferIsTheCallersMistake() {
    assertThatThrownBy(() -> cursor.over(BYTES, 0, 7))
        .isInstanceOf(IndexOutOfBoundsException.class);
  }
}
