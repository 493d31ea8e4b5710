package dev.peekpass.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import org.jspecify.annotations.Nullable;

/**
 * The directory of a configuration as it was when the proxy started. Rules about files (Landlock)
 * are about the directory itself and not its name: one that was put in its place is another.
 */
final class ConfigurationDirectory {
  private final @Nullable Path path;
  private final @Nullable Object identity;

  private ConfigurationDirectory(@Nullable Path path) {
    this.path = path;
    identity = identityOf(path);
  }

  /**
   * That of a file, as it is now.
   *
   * @param file as {@code -c} has it
   */
  static ConfigurationDirectory of(String file) {
    return new ConfigurationDirectory(
        ConfigurationFile.isReadOnce(file) ? null : Path.of(file).toAbsolutePath().getParent());
  }

  /** Device and inode, which no other has while rules about it are in force. */
  private static @Nullable Object identityOf(@Nullable Path path) {
    try {
      return path == null ? null : Files.readAttributes(path, BasicFileAttributes.class).fileKey();
    } catch (IOException e) {
      return null;
    }
  }

  /** Whether another is there now. */
  boolean isAnother() {
    Object now = identityOf(path);
    return identity != null && now != null && !identity.equals(now);
  }

  /** Its name. */
  @Override
  public String toString() {
    return String.valueOf(path);
  }
}
