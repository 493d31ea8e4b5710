package dev.peekpass.proxy.admin;

import java.io.IOException;
import java.util.Collection;
import org.jspecify.annotations.Nullable;

/** How the old process of a takeover says no, see {@link TakeoverOffer}. */
final class TakeoverRefusal {
  private TakeoverRefusal() {}

  /** The old process does not know the version. */
  static final class VersionException extends IOException {
    private static final long serialVersionUID = 1L;

    VersionException(String message) {
      super(message);
    }
  }

  /** What it means that the old process says this, and nothing of the conversation. */
  static IOException unexpected(String line) {
    if (line.startsWith(TakeoverOffer.OTHER_VERSION + TakeoverOffer.FIRST_VERSION + " ")) {
      return new VersionException("the running proxy is of an older version");
    }
    if (line.startsWith("error ")) {
      return new IOException(
          "the running proxy refuses: " + shown(line.substring("error ".length())));
    }
    String json = "{\"ok\":false,\"error\":\"";
    boolean isJson = line.length() >= json.length() + 2 && line.startsWith(json);
    if (isJson && line.endsWith("\"}")) {
      // What it says to whom it does not talk with at all, whatever is asked.
      String why = line.substring(json.length(), line.length() - 2).replace("\\\"", "\"");
      return new IOException("the running proxy refuses, and goes on: " + shown(why));
    }
    String said = line.length() > 40 ? line.substring(0, 40) + "…" : line;
    return new IOException(
        "the running proxy says something that is not in the protocol: \""
            + shown(said)
            + "\"; it goes on: restart it instead");
  }

  /** The time is up, and the old process goes on. */
  static IOException late(TakeoverTimes times, PeerProcess old, AdminStream.LateException cause) {
    return new IOException(
        "the takeover took longer than %s, and this process ends; it has accepted nothing, and the running proxy (%s) goes on: try again, or end that one if it is stopped or hangs"
            .formatted(TakeoverTimes.text(times.young()), old),
        cause);
  }

  /** The old process has not even offered its sockets in time. */
  static IOException silent(TakeoverTimes times, PeerProcess old, AdminStream.LateException cause) {
    return new IOException(
        "the running proxy (%s) does not answer within %s: it is stopped or hangs; nothing has changed: end it, or try again"
            .formatted(old, TakeoverTimes.text(times.young())),
        cause);
  }

  /** The old process has closed the connection, and lives. */
  static IOException brokenOff(PeerProcess old, @Nullable IOException cause) {
    return new IOException(
        "the running proxy (%s) broke the takeover off without a word%s; it goes on: its log may say why"
            .formatted(old, cause == null ? "" : " (" + cause.getMessage() + ")"),
        cause);
  }

  /** What another process has said, as a line of a log can show it: no control characters. */
  static String shown(String said) {
    return said.replaceAll("\\p{Cc}", "?");
  }

  /** How a new process says no, and why, in a line. */
  static String line(String why) {
    String line = TakeoverOffer.REFUSED + why.replaceAll("\\p{Cc}", " ");
    int most = LineBytes.REFUSAL_CHARS;
    if (line.length() <= most) {
      return line;
    }
    // Not between the two halves of a character.
    return line.substring(0, Character.isHighSurrogate(line.charAt(most - 1)) ? most - 1 : most);
  }

  /** Bounds what the running proxy tells of. */
  static void unlessRoom(Collection<?> taken, int most, String of) throws IOException {
    if (taken.size() >= most) {
      throw new IOException("the running proxy tells of over " + most + " " + of);
    }
  }
}
