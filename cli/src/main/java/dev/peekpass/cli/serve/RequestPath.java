package dev.peekpass.cli.serve;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The path of a request target, decoded, RFC 3986 section 3.3. What is left of it can only go down
 * from where it is resolved: no segment is {@code ..} or holds a slash.
 *
 * @param segments without the slashes; empty for {@code /}
 * @param endsInSlash whether it names a directory
 * @param query with its question mark, as sent; empty when there is none
 */
record RequestPath(List<String> segments, boolean endsInSlash, String query) {
  // RFC 9112 section 3.2.2: the authority of an absolute target was for the proxy to look at.
  private static final Pattern ABSOLUTE = Pattern.compile("(?i)https?://[^/?]*(.*)");

  RequestPath {
    segments = List.copyOf(segments);
  }

  /** A path, or why there is none. */
  sealed interface Outcome {
    /** A path. */
    record Valid(RequestPath path) implements Outcome {}

    /** No path: {@code reason} is one line for the client. */
    record Invalid(String reason) implements Outcome {}
  }

  /**
   * Decodes a target.
   *
   * @param target in origin or absolute form, each byte a Latin-1 character
   */
  static Outcome of(String target) {
    Matcher absolute = ABSOLUTE.matcher(target);
    String rest = absolute.matches() ? absolute.group(1) : target;
    int question = rest.indexOf('?');
    String path = question < 0 ? rest : rest.substring(0, question);
    String query = question < 0 ? "" : rest.substring(question);
    if (absolute.matches() && path.isEmpty()) {
      path = "/";
    }
    if (!path.startsWith("/")) {
      return new Outcome.Invalid("the target is not a path");
    }
    boolean endsInSlash = path.endsWith("/");
    String inner = path.substring(1);
    String[] encoded =
        inner.isEmpty()
            ? new String[0]
            : inner.substring(0, inner.length() - (endsInSlash ? 1 : 0)).split("/", -1);
    String[] segments = new String[encoded.length];
    for (int i = 0; i < encoded.length; i++) {
      String segment = decode(encoded[i]);
      if (segment == null) {
        return new Outcome.Invalid("the path is not percent-encoded UTF-8");
      }
      String wrong = wrong(segment);
      if (wrong != null) {
        return new Outcome.Invalid(wrong);
      }
      segments[i] = segment;
    }
    return new Outcome.Valid(new RequestPath(Arrays.asList(segments), endsInSlash, query));
  }

  /** The path again, encoded so that any reader takes it for the same one. */
  String encoded() {
    StringBuilder out = new StringBuilder();
    segments.forEach(segment -> out.append('/').append(encode(segment)));
    return out.append(endsInSlash || segments.isEmpty() ? "/" : "").toString();
  }

  /** One segment, percent-encoded but for what RFC 3986 section 2.3 calls unreserved. */
  static String encode(String segment) {
    StringBuilder out = new StringBuilder();
    for (byte b : segment.getBytes(UTF_8)) {
      char c = (char) (b & 0xff);
      if ((c >= 'a' && c <= 'z')
          || (c >= 'A' && c <= 'Z')
          || (c >= '0' && c <= '9')
          || "-._~".indexOf(c) >= 0) {
        out.append(c);
      } else {
        out.append('%').append(HexFormat.of().withUpperCase().toHexDigits(b));
      }
    }
    return out.toString();
  }

  // Clients resolve dot segments before they send (RFC 3986 section 5.2.4), so one that arrives is
  // a mistake or an attack; so are the others: no name that a client means looks like them.
  private static @Nullable String wrong(String segment) {
    if (segment.equals("..") || segment.equals(".")) {
      return "the path has a dot segment";
    }
    if (segment.isEmpty()) {
      return "the path has an empty segment";
    }
    if (segment.indexOf('/') >= 0 || segment.indexOf('\\') >= 0) {
      return "the path has an encoded slash or a backslash";
    }
    if (segment.chars().anyMatch(c -> c < ' ' || c == 0x7f)) {
      return "the path has a control character";
    }
    return null;
  }

  private static @Nullable String decode(String encoded) {
    byte[] in = encoded.getBytes(ISO_8859_1);
    ByteArrayOutputStream out = new ByteArrayOutputStream(in.length);
    for (int i = 0; i < in.length; i++) {
      if (in[i] != '%') {
        out.write(in[i]);
        continue;
      }
      if (i + 2 >= in.length
          || !HexFormat.isHexDigit(in[i + 1])
          || !HexFormat.isHexDigit(in[i + 2])) {
        return null;
      }
      out.write(HexFormat.fromHexDigit(in[i + 1]) << 4 | HexFormat.fromHexDigit(in[i + 2]));
      i += 2;
    }
    try {
      // A new decoder reports bad bytes; String's constructor would replace them.
      return UTF_8.newDecoder().decode(ByteBuffer.wrap(out.toByteArray())).toString();
    } catch (CharacterCodingException e) {
      return null;
    }
  }
}
