package dev.peekpass.proxy.confine;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * What the kernel says of this process's threads, all of them (proc_pid_status(5)): who each is,
 * and what it may. Where they differ, a value is that of each kind, separated by a slash.
 *
 * @param threads how many
 * @param uid effective
 * @param gid effective
 * @param groups supplementary
 * @param capabilities effective, in hexadecimal
 * @param bounding what could ever be had again, in hexadecimal
 * @param noNewPrivileges whether no thread can get privileges by execve(2)
 * @param filtered how many threads have the filters of system calls that are asked for
 */
public record ThreadFacts(
    int threads,
    String uid,
    String gid,
    String groups,
    String capabilities,
    String bounding,
    boolean noNewPrivileges,
    int filtered) {

  private static final int EFFECTIVE = 1;
  private static final String SECCOMP_MODE_FILTER = "2";

  /**
   * Asks.
   *
   * @param filters how many a thread must have to count as filtered; a container's count, too
   * @throws IOException when /proc cannot be read
   */
  public static ThreadFacts read(int filters) throws IOException {
    return read(Path.of("/proc/self/task"), filters);
  }

  /** How many filters of system calls the calling thread has; 0 before Linux 5.10 too. */
  static int filters() throws IOException {
    return filters(fields(Files.readAllLines(Path.of("/proc/thread-self/status"))));
  }

  private static int filters(Map<String, String> fields) {
    return Integer.parseInt(fields.getOrDefault("Seccomp_filters", "0"));
  }

  private static boolean isFiltered(Map<String, String> fields, int filters) {
    // Before Linux 5.10 it is only known whether there is any.
    return SECCOMP_MODE_FILTER.equals(fields.get("Seccomp"))
        && (!fields.containsKey("Seccomp_filters") || filters(fields) >= filters);
  }

  static ThreadFacts read(Path tasks, int filters) throws IOException {
    List<Map<String, String>> all = new ArrayList<>();
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(tasks)) {
      for (Path entry : entries) {
        try {
          all.add(fields(Files.readAllLines(entry.resolve("status"))));
        } catch (IOException e) {
          // It has ended.
        }
      }
    } catch (UncheckedIOException | java.nio.file.DirectoryIteratorException e) {
      throw new IOException(e);
    }
    return new ThreadFacts(
        all.size(),
        values(all, "Uid", EFFECTIVE),
        values(all, "Gid", EFFECTIVE),
        values(all, "Groups", -1),
        values(all, "CapEff", 0),
        values(all, "CapBnd", 0),
        all.stream().allMatch(one -> "1".equals(one.get("NoNewPrivs"))),
        (int) all.stream().filter(one -> isFiltered(one, filters)).count());
  }

  private static Map<String, String> fields(List<String> lines) {
    Map<String, String> fields = new HashMap<>();
    for (String line : lines) {
      int colon = line.indexOf(':');
      if (colon > 0) {
        fields.put(line.substring(0, colon), line.substring(colon + 1).strip());
      }
    }
    return fields;
  }

  private static String values(List<Map<String, String>> all, String field, int word) {
    SortedSet<String> values = new TreeSet<>();
    for (Map<String, String> one : all) {
      String text = one.getOrDefault(field, "");
      String[] words = text.split("\\s+", -1);
      values.add(word < 0 || words.length <= word ? text : words[word]);
    }
    return String.join("/", values);
  }
}
