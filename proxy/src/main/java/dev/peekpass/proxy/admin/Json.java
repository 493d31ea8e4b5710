package dev.peekpass.proxy.admin;

/** Writes one JSON value (RFC 8259) on one line. */
final class Json {
  private final StringBuilder out = new StringBuilder();

  /** Whether a comma must stand before the next element. */
  private boolean comma;

  Json open(char bracket) {
    separate();
    out.append(bracket);
    comma = false;
    return this;
  }

  Json close(char bracket) {
    out.append(bracket);
    comma = true;
    return this;
  }

  Json name(String name) {
    value(name);
    out.append(':');
    comma = false;
    return this;
  }

  Json value(String text) {
    separate();
    out.append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"' || c == '\\') {
        out.append('\\').append(c);
      } else if (c < ' ' || c == 0x7f || Character.isSurrogate(c)) {
        out.append(String.format("\\u%04x", (int) c));
      } else {
        out.append(c);
      }
    }
    out.append('"');
    return this;
  }

  Json value(long number) {
    separate();
    out.append(number);
    return this;
  }

  Json value(boolean truth) {
    separate();
    out.append(truth);
    return this;
  }

  /** A member whose value is a list of texts. */
  Json texts(String name, Iterable<String> values) {
    name(name).open('[');
    values.forEach(this::value);
    return close(']');
  }

  private void separate() {
    if (comma) {
      out.append(',');
    }
    comma = true;
  }

  @Override
  public String toString() {
    return out.toString();
  }
}
