package dev.peekpass.proxy.route;

/** How messages show a text from elsewhere: in quotes, on one line, not too long. */
public final class Quotation {
  private static final int MAX_CHARS = 80;

  private Quotation() {}

  /** Quotes a text; control characters become escapes, and what is too long ends in dots. */
  public static String of(String text) {
    StringBuilder quoted = new StringBuilder("\"");
    for (int i = 0; i < Math.min(text.length(), MAX_CHARS); i++) {
      char c = text.charAt(i);
      if (Character.isISOControl(c) || Character.isSurrogate(c) || c == '\u2028' || c == '\u2029') {
        quoted.append(String.format("\\u%04x", (int) c));
      } else {
        quoted.append(c);
      }
    }
    return quoted.append(text.length() > MAX_CHARS ? "..." : "").append('"').toString();
  }
}
