package dev.peekpass.matrix;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.zip.CRC32;

/** 64 MiB that a torn or shifted copy would not be equal to, and their checksum. */
final class Payload {
  static final int CHUNK_BYTES = 1 << 16;
  static final int CHUNKS = 1024;
  static final long BYTES = (long) CHUNKS * CHUNK_BYTES;

  private Payload() {}

  /**
   * One chunk.
   *
   * @param index 0 to {@code CHUNKS - 1}
   */
  static byte[] chunk(int index) {
    byte[] chunk = new byte[CHUNK_BYTES];
    for (int i = 0; i < CHUNK_BYTES; i++) {
      chunk[i] = (byte) (31 * i + 17 * index);
    }
    return chunk;
  }

  static void write(OutputStream out) throws IOException {
    for (int c = 0; c < CHUNKS; c++) {
      out.write(chunk(c));
    }
    out.flush();
  }

  /** The sum of all of it. */
  static String sum() {
    Sum sum = new Sum();
    for (int c = 0; c < CHUNKS; c++) {
      sum.add(chunk(c), CHUNK_BYTES);
    }
    return sum.toString();
  }

  /** Reads to the end. */
  static String sum(InputStream in) throws IOException {
    Sum sum = new Sum();
    byte[] buffer = new byte[CHUNK_BYTES];
    for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
      sum.add(buffer, n);
    }
    return sum.toString();
  }

  /** Length and checksum of bytes that come bit by bit. */
  static final class Sum {
    private final CRC32 crc = new CRC32();
    private long bytes;

    void add(byte[] data, int length) {
      crc.update(data, 0, length);
      bytes += length;
    }

    void add(java.nio.ByteBuffer data) {
      bytes += data.remaining();
      crc.update(data);
    }

    @Override
    public String toString() {
      return bytes + " " + Long.toHexString(crc.getValue());
    }
  }
}
