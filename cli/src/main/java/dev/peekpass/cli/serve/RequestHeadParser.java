package dev.peekpass.cli.serve;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import dev.peekpass.cli.serve.RequestHead.Field;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalLong;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Parses the heads of HTTP/1 requests, RFC 9112, line by line as the bytes come: each byte is
 * looked at once, however many pieces it comes in. Hostile bytes give {@link ParsedHead.Refused}.
 *
 * <p>Strict where leniency lets two readers of one stream disagree: lines end in CR LF, fields are
 * not folded, a body has one length.
 */
final class RequestHeadParser {
  /** The longest request line, without its CR LF: RFC 9112 section 3 asks for 8,000 at least. */
  static final int MAX_REQUEST_LINE_BYTES = 8192;

  /** The longest head. */
  static final int MAX_HEAD_BYTES = 16_384;

  /** The most fields. */
  static final int MAX_FIELDS = 100;

  private static final Pattern TOKEN = Pattern.compile("[!#$%&'*+.^_`|~0-9A-Za-z-]+");
  private static final Pattern VERSION = Pattern.compile("HTTP/([0-9])\\.([0-9])");
  private static final Pattern HOST =
      Pattern.compile("([A-Za-z0-9._~!$&'()*+,;=%-]*|\\[[0-9A-Fa-f:.]+])(:[0-9]{0,5})?");
  // Eighteen digits fit a long; no body that long will be read.
  private static final Pattern LENGTH = Pattern.compile("0*([0-9]{1,18})");

  private final List<Field> fields = new ArrayList<>();
  private int at;
  private int lineStart;
  private @Nullable String method;
  private String target = "";
  private int minorVersion;

  /** Forgets the head parsed last. */
  void reset() {
    fields.clear();
    at = 0;
    lineStart = 0;
    method = null;
    target = "";
  }

  /**
   * Goes on where the last call stopped.
   *
   * @param bytes the same ones as in the call before and perhaps more
   * @param from where the head begins; may differ from call to call if the bytes were moved
   * @param to the offset after the last byte that is there
   */
  ParsedHead parse(byte[] bytes, int from, int to) {
    while (from + at < to) {
      if (at == MAX_HEAD_BYTES) {
        return new ParsedHead.Refused(431, "the head is longer than " + MAX_HEAD_BYTES + " bytes");
      }
      byte b = bytes[from + at++];
      if (method == null && at - lineStart > MAX_REQUEST_LINE_BYTES + 2) {
        return new ParsedHead.Refused(
            414, "the request line is longer than " + MAX_REQUEST_LINE_BYTES + " bytes");
      }
      if (b != '\n') {
        continue;
      }
      int end = at - 2;
      if (end < lineStart || bytes[from + end] != '\r') {
        return bad("a line ends without CR");
      }
      String line = new String(bytes, from + lineStart, end - lineStart, ISO_8859_1);
      lineStart = at;
      ParsedHead outcome = line(line);
      if (outcome != null) {
        return outcome;
      }
    }
    return new ParsedHead.Incomplete();
  }

  private @Nullable ParsedHead line(String line) {
    if (method == null) {
      // RFC 9112 section 2.2: empty lines before the request line do no harm.
      return line.isEmpty() ? null : requestLine(line);
    }
    return line.isEmpty() ? head(method) : field(line);
  }

  private @Nullable ParsedHead requestLine(String line) {
    String[] words = line.split(" ", -1);
    if (words.length != 3) {
      return bad("the request line is not METHOD TARGET VERSION");
    }
    if (!TOKEN.matcher(words[0]).matches()) {
      return bad("the method is not a token");
    }
    if (words[1].isEmpty() || words[1].chars().anyMatch(c -> c <= ' ' || c == 0x7f)) {
      return bad("the target has characters that must be percent-encoded");
    }
    var version = VERSION.matcher(words[2]);
    if (!version.matches()) {
      return bad("the version is not HTTP/1.0 or HTTP/1.1");
    }
    if (!version.group(1).equals("1")) {
      return new ParsedHead.Refused(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    }
    method = words[0];
    target = words[1];
    minorVersion = version.group(2).equals("0") ? 0 : 1;
    return null;
  }

  private @Nullable ParsedHead field(String line) {
    if (fields.size() == MAX_FIELDS) {
      return new ParsedHead.Refused(431, "there are more than " + MAX_FIELDS + " header fields");
    }
    int colon = line.indexOf(':');
    // Also refuses folded lines and white space before the colon, RFC 9112 sections 5.1 and 5.2.
    if (colon < 0 || !TOKEN.matcher(line).region(0, colon).matches()) {
      return bad("a header field is not NAME: VALUE");
    }
    String value = line.substring(colon + 1);
    if (value.chars().anyMatch(c -> (c < ' ' && c != '\t') || c == 0x7f)) {
      return bad("a header field has a control character");
    }
    fields.add(new Field(line.substring(0, colon).toLowerCase(Locale.ROOT), trim(value)));
    return null;
  }

  private ParsedHead head(String method) {
    List<String> hosts = values("host");
    if (hosts.size() > 1) {
      return bad("there is more than one Host");
    }
    if (hosts.isEmpty() && minorVersion > 0) {
      return bad("HTTP/1.1 needs a Host");
    }
    if (!hosts.isEmpty() && !HOST.matcher(hosts.getFirst()).matches()) {
      return bad("Host is no host");
    }
    List<String> lengths = values("content-length").stream().distinct().toList();
    boolean chunked = !values("transfer-encoding").isEmpty();
    // RFC 9112 section 6.1: with both, or in HTTP/1.0, somebody may be smuggling.
    if (chunked && (!lengths.isEmpty() || minorVersion == 0)) {
      return bad("Transfer-Encoding does not go with HTTP/1.0 or Content-Length");
    }
    long length = 0;
    if (!lengths.isEmpty()) {
      var digits = LENGTH.matcher(lengths.getFirst());
      if (lengths.size() > 1 || !digits.matches()) {
        return bad("Content-Length is not one number");
      }
      length = Long.parseLong(digits.group(1));
    }
    RequestHead head =
        new RequestHead(
            method,
            target,
            minorVersion,
            fields,
            chunked ? OptionalLong.empty() : OptionalLong.of(length));
    return new ParsedHead.Found(head, at);
  }

  private List<String> values(String name) {
    return fields.stream().filter(field -> field.name().equals(name)).map(Field::value).toList();
  }

  private static ParsedHead bad(String reason) {
    return new ParsedHead.Refused(400, reason);
  }

  // RFC 9110 section 5.6.3: only these two are white space; strip() would take more.
  private static String trim(String value) {
    int start = 0;
    int end = value.length();
    while (start < end && isBlank(value.charAt(start))) {
      start++;
    }
    while (end > start && isBlank(value.charAt(end - 1))) {
      end--;
    }
    return value.substring(start, end);
  }

  private static boolean isBlank(char c) {
    return c == ' ' || c == '\t';
  }
}
