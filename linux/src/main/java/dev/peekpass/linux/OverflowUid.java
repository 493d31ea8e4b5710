package dev.peekpass.linux;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The uid that stands for every user whom this user namespace has no number for
 * (user_namespaces(7), "Unmapped user and group IDs"), and mostly is {@code nobody}'s as well.
 */
public final class OverflowUid {
  private static final int DEFAULT = 65534;
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
    try {
      return Integer.parseUnsignedInt(Files.readString(file).strip());
    } catch (IOException | RuntimeException e) {
      // No /proc, or no descriptor for it.
      return DEFAULT;
    }
  }
}
