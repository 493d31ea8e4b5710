package dev.peekpass.proxy.advice;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Who the calling thread is, proc(5): another than its process's other threads, perhaps. */
final class Self {
  private Self() {}

  /** Its effective user's number, or -1. */
  static int uid() {
    return effective("Uid:");
  }

  /** The name of its group, or the number where /etc/group has none. */
  static String group() {
    String number = Integer.toUnsignedString(effective("Gid:"));
    for (String line : lines("/etc/group")) {
      String[] fields = line.split(":", -1);
      if (fields.length > 2 && fields[2].equals(number)) {
        return fields[0];
      }
    }
    return number;
  }

  private static int effective(String name) {
    for (String line : lines("/proc/thread-self/status")) {
      if (line.startsWith(name)) {
        // Real, effective, saved, of files.
        return Integer.parseUnsignedInt(line.substring(name.length()).strip().split("\\s+", 3)[1]);
      }
    }
    return -1;
  }

  private static List<String> lines(String file) {
    try {
      return Files.readAllLines(Path.of(file), StandardCharsets.ISO_8859_1);
    } catch (IOException e) {
      return List.of();
    }
  }
}
