package dev.peekpass.cli.serve;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.List;

/**
 * The directory that is served. What it finds is inside it once all symbolic links are resolved:
 * links that stay inside are followed, those that lead out are refused.
 *
 * <p>Not defended: somebody who may write into the directory exchanges a directory for a link
 * between the look-up and the opening.
 */
final class Site {
  private final Path root;

  private Site(Path root) {
    this.root = root;
  }

  /** What a path names. */
  sealed interface Entry {
    /**
     * A regular file.
     *
     * @param file without symbolic links
     */
    record RegularFile(Path file, BasicFileAttributes attributes) implements Entry {}

    /**
     * A directory.
     *
     * @param directory without symbolic links
     */
    record Directory(Path directory) implements Entry {}

    /** Nothing. */
    record Absent() implements Entry {}

    /** Something that may not be served: unreadable, outside, or not a file. */
    record Forbidden() implements Entry {}
  }

  /**
   * Serves a directory.
   *
   * @throws NotDirectoryException if it is something else
   * @throws IOException if it is missing or cannot be read
   */
  static Site of(Path directory) throws IOException {
    Path root = directory.toRealPath();
    if (!Files.isDirectory(root)) {
      throw new NotDirectoryException(directory.toString());
    }
    if (!Files.isReadable(root) || !Files.isExecutable(root)) {
      throw new AccessDeniedException(directory.toString());
    }
    return new Site(root);
  }

  /** The directory without symbolic links. */
  Path root() {
    return root;
  }

  /**
   * Finds what names below the root lead to.
   *
   * @param segments as {@link RequestPath} checked them; none for the root
   */
  Entry find(List<String> segments) {
    try {
      Path named = root;
      for (String segment : segments) {
        named = named.resolve(segment);
      }
      Path real = named.toRealPath();
      if (!real.startsWith(root)) {
        return new Entry.Forbidden();
      }
      BasicFileAttributes attributes =
          Files.readAttributes(real, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
      if (attributes.isDirectory()) {
        return new Entry.Directory(real);
      }
      // A pipe or a device would block whoever opens it.
      return attributes.isRegularFile()
          ? new Entry.RegularFile(real, attributes)
          : new Entry.Forbidden();
    } catch (AccessDeniedException e) {
      return new Entry.Forbidden();
    } catch (IOException | InvalidPathException e) {
      // Missing, a file where a directory should be, a link loop, a name that is too long or that
      // the locale cannot write: for the client there is no such file.
      return new Entry.Absent();
    }
  }
}
