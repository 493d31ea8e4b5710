package dev.peekpass.cli.stage;

import dev.peekpass.linux.ProcessCalls;
import dev.peekpass.linux.ProcessCalls.User;
import dev.peekpass.proxy.config.Privileges;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * As whom the second program runs.
 *
 * @param name of the user, for messages
 * @param changes whether that is another than now
 * @param named whether the configuration says so
 */
public record Identity(
    String name, int uid, int gid, List<Integer> groups, boolean changes, boolean named) {
  private static final String NUMBER = "\\d{1,9}";

  /**
   * Finds out.
   *
   * @param uid effective, of this process
   * @throws IOException with the remedy, when there is no such user or it cannot be had
   */
  static Identity of(Privileges privileges, int uid) throws IOException {
    Optional<String> wanted = privileges.user();
    if (wanted.isEmpty()) {
      String name = uid == 0 ? "root" : String.valueOf(uid);
      return new Identity(name, uid, -1, List.of(), false, false);
    }
    User user = user(wanted.get(), privileges.group());
    int gid = privileges.group().isEmpty() ? user.gid() : group(privileges.group().get());
    if (uid != 0) {
      if (uid != user.uid()) {
        throw new IOException(
            "user: %s: only root can become another user: start it as root or as %s, or leave user out"
                .formatted(wanted.get(), wanted.get()));
      }
      return new Identity(user.name(), uid, -1, List.of(), false, true);
    }
    List<Integer> groups =
        privileges.group().isPresent()
            ? List.of(gid)
            : Arrays.stream(ProcessCalls.groupsOf(user.name(), gid)).boxed().toList();
    boolean changes = user.uid() != 0 || privileges.group().isPresent();
    return new Identity(user.name(), user.uid(), gid, groups, changes, true);
  }

  /**
   * As whom a proxy would serve if root started it.
   *
   * @return empty when the configuration does not say
   * @throws IOException with the remedy, when there is no such user or group
   */
  public static Optional<Identity> ofRootsStart(Privileges privileges) throws IOException {
    return privileges.user().isEmpty() ? Optional.empty() : Optional.of(of(privileges, 0));
  }

  private static User user(String text, Optional<String> group) throws IOException {
    Optional<User> byName = ProcessCalls.userByName(text);
    if (byName.isPresent()) {
      return byName.get();
    }
    if (text.matches(NUMBER)) {
      int uid = Integer.parseInt(text);
      Optional<User> byNumber = ProcessCalls.userByNumber(uid);
      if (byNumber.isPresent()) {
        return byNumber.get();
      }
      if (group.isPresent()) {
        return new User(text, uid, -1);
      }
      throw new IOException(
          "user: %s: no user has that number: write group, too, or the name of a user"
              .formatted(text));
    }
    throw new IOException(
        "user: there is no user %s: make it (useradd --system %s), or write another"
            .formatted(text, text));
  }

  private static int group(String text) throws IOException {
    Optional<Integer> byName = ProcessCalls.groupByName(text);
    if (byName.isPresent()) {
      return byName.get();
    }
    if (text.matches(NUMBER)) {
      return Integer.parseInt(text);
    }
    throw new IOException(
        "group: there is no group %s: make it (groupadd --system %s), or write another"
            .formatted(text, text));
  }

  /** The name of a user, or the number where there is none. */
  static String nameOf(int uid) {
    return ProcessCalls.userByNumber(uid).map(User::name).orElse(String.valueOf(uid));
  }

  /** As setgroups(2) takes them. */
  int[] groupArray() {
    return groups.stream().mapToInt(Integer::intValue).toArray();
  }

  /** Whether it is root. */
  boolean isRoot() {
    return uid == 0;
  }
}
