package dev.peekpass.receiver;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;

/** What this process has open, apart from files that the JVM opens to load classes. */
public final class OpenDescriptors {
  private OpenDescriptors() {}

  /** Sockets, event and epoll descriptors and pipes: number to what it is. */
  public static Map<Integer, String> now() {
    Map<Integer, String> open = new TreeMap<>();
    for (String number : new File("/proc/self/fd").list()) {
      try {
        String what = Files.readSymbolicLink(Path.of("/proc/self/fd", number)).toString();
        if (what.contains(":[") || what.startsWith("anon_inode:")) {
          open.put(Integer.valueOf(number), what);
        }
      } catch (IOException e) {
        // Closed since: the listing's own descriptor.
      }
    }
    return open;
  }
}
