package dev.peekpass.linux;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The uid that stands for every user whom this user namespace has no number for
 * (user_namespaces(7), "Unmapped user and group IDs"), and mostly is {@code nobody}'s as well.
 */
public final class OverflowUid {
  private static final int DEFAULT = 65534;

  /** More than any number and a line feed. */
  private static final int TEXT_BYTES = 64;

  private static final int UID = read(Path.of("/proc/sys/kernel/overflowuid"));

  private OverflowUid() {}

  /** The number. */
  public static int get() {
    return UID;
  }

  /** Whether a uid is everybody's that is not known: this one, or none (-1). */
  public static boolean isEverybodys(int uid) {
    return uid == UID || uid == -1;
  }

  static int read(Path file) {
    byte[] text = new byte[TEXT_BYTES];
    try (InputStream in = Files.newInputStream(file)) {
      // In one go: what is read from a file of sysctl(5) after the first read(2) is its end, and
      // Files.readString would begin with a byte.
      int length = in.read(text);
      return Integer.parseUnsignedInt(new String(text, 0, length, US_ASCII).strip());
    } catch (IOException | RuntimeException e) {
      // No /proc, or no descriptor for it.
      return DEFAULT;
    }
  }
}
