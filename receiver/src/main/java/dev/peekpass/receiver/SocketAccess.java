package dev.peekpass.receiver;

import java.nio.file.attribute.PosixFilePermission;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Who may reach a socket file.
 *
 * @param mode its permissions; writing is connecting (unix(7))
 * @param owner a user's name, or null for this process's
 * @param group a group's name, or null for this process's
 */
record SocketAccess(Set<PosixFilePermission> mode, @Nullable String owner, @Nullable String group) {
  SocketAccess {
    mode = Set.copyOf(mode);
  }
}
