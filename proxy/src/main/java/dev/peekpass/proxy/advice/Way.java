package dev.peekpass.proxy.advice;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/** The way to a file, wherever links lead, as far as the calling thread's user gets. */
final class Way {
  /** As many links as the kernel follows, path_resolution(7). */
  private static final int MAX_LINKS = 40;

  private static final int TYPE = 0170000;
  private static final int LINK = 0120000;

  private final Deque<Path> rest = new ArrayDeque<>();
  private Path at;
  private int links;

  /**
   * Where it ends.
   *
   * @param directory that cannot be entered; no link is in its path
   * @param file what is behind it
   */
  record Hidden(Path directory, Path file) {}

  private Way(Path absolute) {
    at = absolute.getRoot();
    absolute.forEach(rest::add);
  }

  /** The first directory on the way to a file that hides what is in it, if one does. */
  static @Nullable Hidden hidden(Path file) {
    return new Way(file.toAbsolutePath()).walk();
  }

  private @Nullable Hidden walk() {
    while (!rest.isEmpty()) {
      Path name = rest.remove();
      if (name.toString().equals("..")) {
        at = at.getParent() == null ? at : at.getParent();
        continue;
      }
      Path next = at.resolve(name).normalize();
      try {
        if (!follow(next)) {
          at = next;
        }
      } catch (AccessDeniedException e) {
        for (Path one : rest) {
          next = next.resolve(one);
        }
        return new Hidden(at, next);
      } catch (IOException | UnsupportedOperationException e) {
        return null;
      }
    }
    return null;
  }

  /** Whether it is a link, whose parts are next then. */
  private boolean follow(Path next) throws IOException {
    int mode = (Integer) Files.getAttribute(next, "unix:mode", LinkOption.NOFOLLOW_LINKS);
    if ((mode & TYPE) != LINK || links >= MAX_LINKS) {
      return false;
    }
    links++;
    Path target = Files.readSymbolicLink(next);
    for (int i = target.getNameCount() - 1; i >= 0; i--) {
      rest.addFirst(target.getName(i));
    }
    if (target.isAbsolute()) {
      at = target.getRoot();
    }
    return true;
  }
}
