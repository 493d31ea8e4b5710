package dev.peekpass.agent;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.StringTokenizer;

/**
 * Which epoll instances of this process watch a descriptor, and for what: a selector that a channel
 * was registered with before it was bound. epoll knows a descriptor by what it stands for, so a
 * registration has to be taken out before that changes and put back after (proc_pid_fdinfo(5)).
 */
final class EpollRegistrations {
  private static final Path DESCRIPTORS = Path.of("/proc/self/fd");
  private static final Path DETAILS = Path.of("/proc/self/fdinfo");

  private record Registration(Fd epoll, int events, long data) {}

  private final Kernel kernel;
  private final Fd fd;
  private final List<Registration> registrations;

  private EpollRegistrations(Kernel kernel, Fd fd, List<Registration> registrations) {
    this.kernel = kernel;
    this.fd = fd;
    this.registrations = registrations;
  }

  /** Takes all of a descriptor's registrations out. */
  static EpollRegistrations remove(Kernel kernel, Fd fd) throws IOException {
    List<Registration> removed = new ArrayList<>();
    for (Registration found : find(fd)) {
      // ENOENT: it is about what the number stood for earlier.
      if (kernel.epollCtl(found.epoll(), Linux.EPOLL_CTL_DEL, fd, 0, 0) == 0) {
        removed.add(found);
      }
    }
    return new EpollRegistrations(kernel, fd, removed);
  }

  /** Puts them back, for what the descriptor stands for now. */
  void restore() throws IOException {
    for (Registration registration : registrations) {
      int r =
          kernel.epollCtl(
              registration.epoll(),
              Linux.EPOLL_CTL_ADD,
              fd,
              registration.events(),
              registration.data());
      if (r < 0 && r != -Errno.EEXIST) {
        throw new IOException(
            "epoll_ctl: " + Errno.name(-r) + ": a selector has lost a listening socket");
      }
    }
  }

  private static List<Registration> find(Fd fd) throws IOException {
    List<Registration> found = new ArrayList<>();
    try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(DESCRIPTORS)) {
      for (Path descriptor : descriptors) {
        try {
          if (Files.readSymbolicLink(descriptor).toString().equals("anon_inode:[eventpoll]")) {
            find(fd, descriptor.getFileName().toString(), found);
          }
        } catch (IOException e) {
          // It was closed meanwhile.
        }
      }
    }
    return found;
  }

  /** Lines such as {@code tfd: 5 events: 19 data: 5 pos:0 …}: decimal, hexadecimal, hexadecimal. */
  private static void find(Fd fd, String epoll, List<Registration> found) throws IOException {
    for (String line : Files.readAllLines(DETAILS.resolve(epoll))) {
      if (!line.startsWith("tfd:")) {
        continue;
      }
      List<String> words = words(line);
      if (words.get(1).equals(Integer.toString(fd.number()))) {
        found.add(
            new Registration(
                Fd.of(Integer.parseInt(epoll)),
                Integer.parseUnsignedInt(words.get(3), 16),
                Long.parseUnsignedLong(words.get(5), 16)));
      }
    }
  }

  private static List<String> words(String line) {
    StringTokenizer tokens = new StringTokenizer(line);
    List<String> words = new ArrayList<>();
    while (tokens.hasMoreTokens()) {
      words.add(tokens.nextToken());
    }
    return words;
  }
}
