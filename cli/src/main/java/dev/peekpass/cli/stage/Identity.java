package dev.peekpass.cli.stage;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import dev.peekpass.linux.ProcessCalls;
import dev.peekpass.linux.ProcessCalls.User;
import dev.peekpass.proxy.config.Privileges;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
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
  /** There is no such user or group on this machine. */
  public static final class NotHereException extends IOException {
    private static final long serialVersionUID = 1;

    NotHereException(String message) {
      super(message);
    }
  }

  /** The one that is left is -1, by which setresuid(2) and others mean none. */
  private static final long LARGEST = 0xFFFF_FFFEL;

  /**
   * Finds out.
   *
   * @param uid effective, of this process
   * @throws IOException with the remedy, when there is no such user or it cannot be had
   */
  static Identity of(Privileges privileges, int uid) throws IOException {
    Optional<String> wanted = privileges.user();
    if (wanted.isEmpty()) {
      String name = uid == 0 ? "root" : Integer.toUnsignedString(uid);
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
    Optional<Integer> number = number("user", text);
    if (number.isPresent()) {
      int uid = number.get();
      Optional<User> byNumber = ProcessCalls.userByNumber(uid);
      if (byNumber.isPresent()) {
        return byNumber.get();
      }
      if (group.isPresent()) {
        return new User(text, uid, -1);
      }
      throw new NotHereException(
          "user: %s: no user has that number: write group, too, or the name of a user"
              .formatted(text));
    }
    throw new NotHereException(
        "user: there is no user %s: make it (useradd --system %s), or write another"
            .formatted(text, text));
  }

  private static int group(String text) throws IOException {
    Optional<Integer> byName = ProcessCalls.groupByName(text);
    if (byName.isPresent()) {
      return byName.get();
    }
    Optional<Integer> number = number("group", text);
    if (number.isPresent()) {
      return number.get();
    }
    throw new NotHereException(
        "group: there is no group %s: make it (groupadd --system %s), or write another"
            .formatted(text, text));
  }

  /**
   * The number in a text, as the kernel takes it: from 2147483648 on a negative int.
   *
   * @return empty when the text is a name
   */
  private static Optional<Integer> number(String key, String text) throws IOException {
    if (!text.matches("\\d+")) {
      return Optional.empty();
    }
    String digits = text.replaceFirst("^0+(?=\\d)", "");
    if (digits.length() > 10 || Long.parseLong(digits) > LARGEST) {
      throw new IOException(
          "%s: %s: such a number is %d at most: write a smaller one".formatted(key, text, LARGEST));
    }
    return Optional.of(Integer.parseUnsignedInt(digits));
  }

  /**
   * What to say of a group of the configuration that this process cannot have.
   *
   * @param uid effective, of this process
   */
  public static Optional<String> ignoredGroup(Privileges privileges, int uid) throws IOException {
    List<String> status = Files.readAllLines(Path.of("/proc/self/status"), ISO_8859_1);
    return ignoredGroup(privileges, uid, status);
  }

  /**
   * Says that a group is of no effect, since only root can have others than it was started with.
   *
   * @param uid effective, of this process
   * @param status of this process, as /proc has it
   */
  static Optional<String> ignoredGroup(Privileges privileges, int uid, List<String> status)
      throws IOException {
    if (uid == 0 || privileges.group().isEmpty()) {
      return Optional.empty();
    }
    String wanted = Integer.toUnsignedString(group(privileges.group().get()));
    boolean others =
        status.stream()
            .filter(line -> line.startsWith("Gid:") || line.startsWith("Groups:"))
            .flatMap(line -> Arrays.stream(line.split("\\s+")).skip(1))
            .anyMatch(gid -> !gid.equals(wanted));
    return others
        ? Optional.of(
            "group: %s: only root can set its groups, so this proxy keeps those that it was started with: start it as root, or with that group alone, or leave group out"
                .formatted(privileges.group().get()))
        : Optional.empty();
  }

  /** The name of a user, or the number where there is none. */
  static String nameOf(int uid) {
    return ProcessCalls.userByNumber(uid).map(User::name).orElse(Integer.toUnsignedString(uid));
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
