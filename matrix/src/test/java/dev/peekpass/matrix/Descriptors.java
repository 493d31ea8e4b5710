package dev.peekpass.matrix;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import java.util.stream.Stream;

/** What a process has open. */
final class Descriptors {
  private Descriptors() {}

  /** How many connected TCP sockets it holds. */
  static long connections(long pid) throws IOException {
    Set<String> connected = new HashSet<>();
    for (String table : new String[] {"tcp", "tcp6"}) {
      for (String line : Files.readAllLines(Path.of("/proc/net/" + table))) {
        // proc_pid_net(5): the state is the fourth column, the inode the tenth; 0A is a listener.
        String[] columns = line.strip().split(" +", -1);
        if (columns.length > 9 && !columns[3].equals("0A")) {
          connected.add("socket:[" + columns[9] + "]");
        }
      }
    }
    return open(pid).filter(connected::contains).count();
  }

  /** How many it holds that are no files: sockets, pipes, epolls, events. */
  static long others(long pid) throws IOException {
    return open(pid).filter(what -> !what.startsWith("/")).count();
  }

  private static Stream<String> open(long pid) throws IOException {
    Stream.Builder<String> open = Stream.builder();
    try (Stream<Path> all = Files.list(Path.of("/proc/" + pid + "/fd"))) {
      for (Path each : (Iterable<Path>) all::iterator) {
        try {
          open.add(Files.readSymbolicLink(each).toString());
        } catch (IOException e) {
          // Closed since.
        }
      }
    }
    return open.build();
  }
}
