package dev.peekpass.proxy.route;

import java.net.IDN;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.jspecify.annotations.Nullable;

/**
 * What a route says about the host.
 *
 * @param kind which of the four forms, in order of precedence
 * @param text the pattern in canonical form: {@code example.com}, {@code *.example.com} and {@code
 *     *} in lower case, as A-labels, without a trailing dot; a regular expression as written
 */
public record HostPattern(Kind kind, String text) {
  /** The longest regular expression, in characters. */
  public static final int MAX_REGEX_CHARS = 1024;

  // RFC 1035 section 2.3.4: 255 bytes on the wire are 253 in text.
  private static final int MAX_NAME_BYTES = 253;
  private static final int MAX_LABEL_BYTES = 63;
  private static final String NAME_REMEDY = "write a host name alone, like shop.example.com";

  /** The forms of a pattern, the strongest first. */
  public enum Kind {
    /** One name. */
    EXACT,
    /** One or more labels in front of a name, not the name itself. */
    WILDCARD,
    /** Any name that is present: the weakest wildcard. */
    ANY,
    /** A regular expression that matches the whole canonical name. */
    REGEX
  }

  /**
   * Reads {@code shop.example.com}, {@code *.example.com} or {@code *}. Takes upper case, one
   * trailing dot and Unicode (IDNA 2003, RFC 3490), and gives the canonical form.
   */
  public static Reading<HostPattern> parseHost(String text) {
    if (text.equals("*")) {
      return new Reading.Good<>(new HostPattern(Kind.ANY, "*"));
    }
    boolean wildcard = text.startsWith("*.");
    Reading<String> name = canonicalName(wildcard ? text.substring(2) : text, text);
    return switch (name) {
      case Reading.Good<String>(String value) ->
          new Reading.Good<>(
              wildcard
                  ? new HostPattern(Kind.WILDCARD, "*." + value)
                  : new HostPattern(Kind.EXACT, value));
      case Reading.Bad<String>(String problem, String remedy) -> new Reading.Bad<>(problem, remedy);
    };
  }

  /**
   * Reads a regular expression of {@link java.util.regex}. It is matched against the whole
   * canonical name, without regard to the case of ASCII letters.
   */
  public static Reading<HostPattern> parseRegex(String text) {
    if (text.isEmpty() || text.length() > MAX_REGEX_CHARS) {
      return new Reading.Bad<>(
          "the regular expression has " + text.length() + " characters",
          "write one of 1 to " + MAX_REGEX_CHARS + " characters");
    }
    Reading.Bad<HostPattern> costly = RegexLimits.mistake(text);
    if (costly != null) {
      return costly;
    }
    try {
      compile(text);
      return new Reading.Good<>(new HostPattern(Kind.REGEX, text));
    } catch (PatternSyntaxException e) {
      return new Reading.Bad<>(
          Quotation.of(text) + " is not a regular expression: " + e.getDescription().strip(),
          e.getIndex() < 0
              ? "write one in the syntax of java.util.regex"
              : "look at its character " + (e.getIndex() + 1));
    }
  }

  static Pattern compile(String regex) {
    return Pattern.compile(regex, Pattern.CASE_INSENSITIVE);
  }

  /** The name behind {@code *.}, or the exact name, or nothing for {@code *}. */
  String name() {
    return switch (kind) {
      case EXACT, REGEX -> text;
      case WILDCARD -> text.substring(2);
      case ANY -> "";
    };
  }

  private static Reading<String> canonicalName(String given, String whole) {
    String name = given.endsWith(".") ? given.substring(0, given.length() - 1) : given;
    Reading<String> strange = strangeness(name, whole);
    if (strange != null) {
      return strange;
    }
    if (!isAscii(name)) {
      Reading<String> ascii = toAscii(name, whole);
      if (!(ascii instanceof Reading.Good<String>(String value))) {
        return ascii;
      }
      name = value;
    }
    name = name.toLowerCase(Locale.ROOT);
    Reading<String> wrong = labelMistake(name, whole);
    return wrong != null ? wrong : new Reading.Good<>(name);
  }

  private static boolean isAscii(String text) {
    for (int i = 0; i < text.length(); i++) {
      if (text.charAt(i) >= 128) {
        return false;
      }
    }
    return true;
  }

  /** What people write where a host name belongs, each with its own advice. */
  private static Reading.@Nullable Bad<String> strangeness(String name, String whole) {
    String quoted = Quotation.of(whole);
    if (name.isEmpty()) {
      return bad(quoted + " names no host", NAME_REMEDY);
    }
    if (name.contains("://")) {
      return bad(quoted + " is a URL", NAME_REMEDY + ", without scheme and path");
    }
    for (int i = 0; i < name.length(); i++) {
      char c = name.charAt(i);
      if (c <= ' ' || c == 0x7f) {
        return bad(
            "the host name has a space or control character", NAME_REMEDY + "; several go in [ ]");
      }
      String problem =
          switch (c) {
            case '[', ']' -> quoted + " is an IPv6 address";
            case ':' ->
                name.indexOf(':') == name.lastIndexOf(':')
                    ? quoted + " has a port"
                    : quoted + " is an IPv6 address";
            case '/' -> quoted + " has a path";
            case '@' -> quoted + " has a user name";
            case ',' -> quoted + " has a comma";
            case '*' -> quoted + " has a * that is not its whole first label";
            default -> "";
          };
      if (!problem.isEmpty()) {
        return bad(problem, remedy(c, name));
      }
    }
    return null;
  }

  private static String remedy(char c, String name) {
    return switch (c) {
      case '[', ']' -> "match it with host-regex";
      case ':' ->
          name.indexOf(':') == name.lastIndexOf(':')
              ? "write the name alone, the listener has the port"
              : "match it with host-regex";
      case '/' -> "write the name alone, connections are routed before any request";
      case ',' -> "write several names as a list, [a.example.com, b.example.com]";
      case '*' -> "write *.example.com, or use host-regex";
      default -> NAME_REMEDY;
    };
  }

  private static Reading<String> toAscii(String name, String whole) {
    String quoted = Quotation.of(whole);
    String remedy = "write it as A-labels (xn--...)";
    for (int i = 0; i < name.length(); i++) {
      char c = name.charAt(i);
      // IDNA 2003 and IDNA 2008 give these four different A-labels (UTS 46 section 1.3.1): to
      // choose one silently would route to the wrong owner.
      if (c == '\u00df' || c == '\u03c2' || c == '\u200c' || c == '\u200d') {
        return bad(quoted + " has a character whose A-label is ambiguous", remedy);
      }
    }
    try {
      String ascii = IDN.toASCII(name, 0);
      return ascii.endsWith(".") || ascii.isEmpty()
          ? bad(quoted + " is not a host name", remedy)
          : new Reading.Good<>(ascii);
    } catch (IllegalArgumentException e) {
      return bad(quoted + " cannot be written as A-labels", remedy);
    }
  }

  private static Reading.@Nullable Bad<String> labelMistake(String name, String whole) {
    if (name.length() > MAX_NAME_BYTES) {
      return bad(
          "the host name has " + name.length() + " bytes",
          "write one of at most " + MAX_NAME_BYTES + " bytes");
    }
    String quoted = Quotation.of(whole);
    int start = 0;
    for (int i = 0; i <= name.length(); i++) {
      char c = i < name.length() ? name.charAt(i) : '.';
      if (c == '.') {
        if (i == start) {
          return bad(quoted + " has an empty label", "write one dot between labels");
        }
        if (i - start > MAX_LABEL_BYTES) {
          return bad(
              quoted + " has a label of " + (i - start) + " bytes",
              "write labels of at most " + MAX_LABEL_BYTES + " bytes");
        }
        if (name.charAt(start) == '-' || name.charAt(i - 1) == '-') {
          return bad(
              quoted + " has a label that begins or ends with a hyphen",
              "write the hyphen inside the label");
        }
        start = i + 1;
      } else if (!isNameCharacter(c)) {
        return bad(
            quoted + " has the character \"" + c + "\"",
            "write letters, digits, hyphens and underscores");
      }
    }
    return null;
  }

  private static boolean isNameCharacter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  }

  private static Reading.Bad<String> bad(String problem, String remedy) {
    return new Reading.Bad<>(problem, remedy);
  }

  /** The pattern as in a configuration; a regular expression between slashes. */
  @Override
  public String toString() {
    return kind == Kind.REGEX ? "/" + text + "/" : text;
  }
}
