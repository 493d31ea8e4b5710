package dev.peekpass.wire;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Little-endian integers at any offset of a buffer, whatever the buffer's own byte order. */
final class Little {
  private static final VarHandle U16 =
      MethodHandles.byteBufferViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle U32 =
      MethodHandles.byteBufferViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle U64 =
      MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  private Little() {}

  static int u16(ByteBuffer bytes, int at) {
    return (short) U16.get(bytes, at) & 0xffff;
  }

  static int u32(ByteBuffer bytes, int at) {
    return (int) U32.get(bytes, at);
  }

  static long u64(ByteBuffer bytes, int at) {
    return (long) U64.get(bytes, at);
  }

  static void putU16(ByteBuffer bytes, int at, int value) {
    U16.set(bytes, at, (short) value);
  }

  static void putU32(ByteBuffer bytes, int at, int value) {
    U32.set(bytes, at, value);
  }

  static void putU64(ByteBuffer bytes, int at, long value) {
    U64.set(bytes, at, value);
  }
}
