package dev.peekpass.agent;

import dev.peekpass.linux.OverflowUid;
import dev.peekpass.receiver.SocketType;
import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Reads the agent's options.
 *
 * <pre>{@code
 * options = item { "," item }
 * item    = pair | "@" file            file: one item a line; "#" begins a comment
 * pair    = host ":" port "=unix:" path { "+" modifier }
 * host    = "*" | IPv4 | "[" IPv6 "]" | name
 * }</pre>
 *
 * <p>A backslash takes the meaning from a comma, plus or backslash behind it.
 */
final class OptionsReader {
  static final String VARIABLE = "PEEKPASS_AGENT";

  private static final String EXAMPLE =
      "write HOST:PORT=unix:PATH, as in *:8443=unix:/run/app.sock";
  private static final String UNIX = "unix:";
  private static final int PORT_MAX = 65535;

  private final List<Pair> pairs = new ArrayList<>();

  private OptionsReader() {}

  /**
   * Reads them.
   *
   * @param argument what stands on the command line, or null
   * @param variable what stands in the environment, or null; used when there is no argument
   * @return at least one pair
   * @throws IllegalArgumentException saying what is wrong, and what to write
   */
  static List<Pair> read(@Nullable String argument, @Nullable String variable) {
    OptionsReader reader = new OptionsReader();
    if (argument != null && !argument.isBlank()) {
      reader.items(argument, "option ");
    } else if (variable != null && !variable.isBlank()) {
      reader.items(variable, VARIABLE + ": ");
    }
    if (reader.pairs.isEmpty()) {
      throw new IllegalArgumentException(
          "no addresses to take over: write -javaagent:peekpass-agent.jar=HOST:PORT=unix:PATH, as"
              + " in 0.0.0.0:8443=unix:/run/app.sock, or the same into "
              + VARIABLE);
    }
    return List.copyOf(reader.pairs);
  }

  private void items(String text, String where) {
    for (String item : split(text, ',')) {
      String trimmed = item.strip();
      if (trimmed.startsWith("@")) {
        file(trimmed.substring(1), where);
      } else if (!trimmed.isEmpty()) {
        add(pair(trimmed, where + trimmed + ": "), where + trimmed + ": ");
      }
    }
  }

  private void file(String name, String where) {
    List<String> lines;
    try {
      lines = Files.readAllLines(Path.of(name), StandardCharsets.UTF_8);
    } catch (IOException | InvalidPathException e) {
      throw new IllegalArgumentException(where + "@" + name + ": cannot be read: " + e, e);
    }
    for (int i = 0; i < lines.size(); i++) {
      String line = lines.get(i).strip();
      if (line.isEmpty() || line.startsWith("#")) {
        continue;
      }
      String at = name + ":" + (i + 1) + ": ";
      if (line.startsWith("@")) {
        throw new IllegalArgumentException(at + "a file of options names no other: write pairs");
      }
      items(line, at);
    }
  }

  private void add(Pair pair, String where) {
    for (Pair other : pairs) {
      if (pair.overlaps(other)) {
        throw new IllegalArgumentException(
            where + "names an address that " + other.text() + " names too: write one of them");
      }
      if (pair.path().equals(other.path())) {
        throw new IllegalArgumentException(
            where + "has the same socket as " + other.text() + ": give each one of its own");
      }
    }
    pairs.add(pair);
  }

  private static Pair pair(String text, String where) {
    int equals = text.indexOf('=');
    String address = equals < 0 ? text : text.substring(0, equals);
    int colon = address.lastIndexOf(':');
    if (equals < 0 || colon < 1) {
      throw new IllegalArgumentException(where + EXAMPLE);
    }
    List<String> parts = split(text.substring(equals + 1), '+');
    String socket = unescape(parts.getFirst());
    if (!socket.startsWith(UNIX) || socket.length() == UNIX.length()) {
      throw new IllegalArgumentException(
          where + "the socket must be written unix:PATH: " + EXAMPLE);
    }
    Modifiers modifiers = new Modifiers(where);
    for (String modifier : parts.subList(1, parts.size())) {
      modifiers.read(unescape(modifier));
    }
    return new Pair(
        text,
        hosts(address.substring(0, colon), where),
        port(address.substring(colon + 1), where),
        path(socket.substring(UNIX.length()), where),
        modifiers.type(),
        modifiers.tcp,
        modifiers.mode,
        modifiers.owner,
        modifiers.group,
        modifiers.uids);
  }

  private static Path path(String text, String where) {
    try {
      return Path.of(text);
    } catch (InvalidPathException e) {
      throw new IllegalArgumentException(where + "no path: " + e.getMessage(), e);
    }
  }

  private static int port(String text, String where) {
    int port = number(text);
    if (port < 0 || port > PORT_MAX) {
      throw new IllegalArgumentException(where + "a port is a number from 0 to 65535: " + EXAMPLE);
    }
    return port;
  }

  /** A decimal number; -1 when it is none or too large. */
  private static int number(String text) {
    boolean digits = !text.isEmpty() && text.chars().allMatch(c -> c >= '0' && c <= '9');
    return digits && text.length() < 10 ? Integer.parseInt(text) : -1;
  }

  private static @Nullable Set<InetAddress> hosts(String text, String where) {
    if (text.equals("*")) {
      return null;
    }
    boolean bracketed = text.startsWith("[") && text.endsWith("]");
    try {
      return Set.of(InetAddress.ofLiteral(bracketed ? text.substring(1, text.length() - 1) : text));
    } catch (IllegalArgumentException notLiteral) {
      if (bracketed) {
        throw new IllegalArgumentException(where + text + " is no IPv6 address", notLiteral);
      }
    }
    try {
      return Set.of(InetAddress.getAllByName(text));
    } catch (UnknownHostException e) {
      throw new IllegalArgumentException(
          where + "the host " + text + " is unknown here: write an address, or * for any", e);
    }
  }

  /** Splits where the separator has no backslash before it; leaves the backslashes. */
  private static List<String> split(String text, char separator) {
    List<String> parts = new ArrayList<>();
    int start = 0;
    for (int i = 0; i < text.length(); i++) {
      if (text.charAt(i) == '\\') {
        i++;
      } else if (text.charAt(i) == separator) {
        parts.add(text.substring(start, i));
        start = i + 1;
      }
    }
    parts.add(text.substring(start));
    return parts;
  }

  private static String unescape(String text) {
    StringBuilder plain = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      plain.append(c == '\\' && i + 1 < text.length() ? text.charAt(++i) : c);
    }
    return plain.toString();
  }

  /** What stands behind a pair's plus signs. */
  private static final class Modifiers {
    private final String where;
    private final Set<Integer> uids = new HashSet<>();
    private @Nullable SocketType type;
    private boolean tcp;
    private @Nullable String mode;
    private @Nullable String owner;
    private @Nullable String group;

    Modifiers(String where) {
      this.where = where;
    }

    void read(String modifier) {
      int equals = modifier.indexOf('=');
      String name = equals < 0 ? modifier : modifier.substring(0, equals);
      String value = equals < 0 ? "" : modifier.substring(equals + 1);
      boolean understood =
          switch (name) {
            case "tcp" -> {
              tcp = true;
              yield equals < 0;
            }
            case "acknowledged" -> equals < 0 && type(SocketType.ACKNOWLEDGED);
            case "stream" -> equals < 0 && type(SocketType.STREAM);
            case "datagram" -> equals < 0 && type(SocketType.DATAGRAM);
            case "mode" -> mode(value);
            case "uid" -> uid(number(value));
            case "owner" -> {
              owner = value;
              yield !value.isEmpty();
            }
            case "group" -> {
              group = value;
              yield !value.isEmpty();
            }
            default -> false;
          };
      if (!understood) {
        throw new IllegalArgumentException(
            where
                + "+"
                + modifier
                + " is none of +tcp, +uid=NUMBER, +mode=0660, +owner=NAME, +group=NAME, and one of"
                + " +acknowledged, +stream, +datagram; a plus in a path is written \\+");
      }
    }

    private boolean uid(int uid) {
      if (uid >= 0 && OverflowUid.isEverybodys(uid)) {
        throw new IllegalArgumentException(
            where
                + "+uid="
                + uid
                + " stands for every user that has no number in this user namespace: map the"
                + " proxy's user into it, or give the proxy a user of its own");
      }
      return uid >= 0 && uids.add(uid);
    }

    /** Whether it is the first that is said of the type. */
    private boolean type(SocketType chosen) {
      boolean first = type == null;
      type = chosen;
      return first;
    }

    /** The type of the UNIX socket; what loses nothing unless another was asked for. */
    SocketType type() {
      return type == null ? SocketType.ACKNOWLEDGED : type;
    }

    /** Octal, as chmod(1) takes it. */
    private boolean mode(String octal) {
      int bits = octal.length() == 4 && octal.charAt(0) == '0' ? 1 : 0;
      if (octal.length() - bits != 3 || !octal.chars().allMatch(c -> c >= '0' && c <= '7')) {
        return false;
      }
      StringBuilder permissions = new StringBuilder(9);
      for (char digit : octal.substring(bits).toCharArray()) {
        permissions.append((digit & 4) != 0 ? 'r' : '-');
        permissions.append((digit & 2) != 0 ? 'w' : '-');
        permissions.append((digit & 1) != 0 ? 'x' : '-');
      }
      mode = permissions.toString();
      return true;
    }
  }
}
