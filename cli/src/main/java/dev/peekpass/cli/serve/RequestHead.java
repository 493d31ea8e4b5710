package dev.peekpass.cli.serve;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Stream;

/**
 * The head of an HTTP/1 request that keeps the rules of RFC 9112.
 *
 * @param method case-sensitive, RFC 9110 section 9.1
 * @param target as sent, each byte a Latin-1 character, RFC 9112 section 3.2
 * @param minorVersion 0 for HTTP/1.0, 1 for HTTP/1.1 and above
 * @param fields in the order sent
 * @param bodyBytes how long the body is, 0 when there is none; empty when only its chunks will tell
 */
record RequestHead(
    String method, String target, int minorVersion, List<Field> fields, OptionalLong bodyBytes) {

  /**
   * A header field, RFC 9110 section 5.
   *
   * @param name in lower case
   * @param value without the white space around it, each byte a Latin-1 character
   */
  record Field(String name, String value) {}

  RequestHead {
    fields = List.copyOf(fields);
  }

  /** The values of a field, joined as RFC 9110 section 5.3 has it; {@code name} in lower case. */
  Optional<String> field(String name) {
    return values(name).reduce((a, b) -> a + ", " + b);
  }

  /** Whether the client takes another response on this connection, RFC 9112 section 9.3. */
  boolean keepsAlive() {
    return minorVersion == 0
        ? hasConnectionOption("keep-alive") && !hasConnectionOption("close")
        : !hasConnectionOption("close");
  }

  /** Whether the client waits for leave to send its body, RFC 9110 section 10.1.1. */
  boolean expectsContinue() {
    return minorVersion > 0 && values("expect").anyMatch(v -> v.equalsIgnoreCase("100-continue"));
  }

  /** What the request line said, with HTTP/1.1 for all later minor versions. */
  String line() {
    return method + " " + target + " HTTP/1." + minorVersion;
  }

  private boolean hasConnectionOption(String option) {
    return values("connection")
        .flatMap(value -> Arrays.stream(value.split(",", -1)))
        .anyMatch(word -> word.strip().toLowerCase(Locale.ROOT).equals(option));
  }

  private Stream<String> values(String name) {
    return fields.stream().filter(field -> field.name().equals(name)).map(Field::value);
  }
}
