package dev.peekpass.cli.serve;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.Closeable;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A response. It owns the file that its body may come from: whoever holds the response closes it.
 *
 * @param status RFC 9110 section 15
 * @param fields without those about the connection, {@code Date} and {@code Content-Length}
 */
record Response(int status, List<Field> fields, Body body) implements Closeable {
  private static final Map<Integer, String> REASONS =
      Map.ofEntries(
          Map.entry(200, "OK"),
          Map.entry(206, "Partial Content"),
          Map.entry(301, "Moved Permanently"),
          Map.entry(304, "Not Modified"),
          Map.entry(400, "Bad Request"),
          Map.entry(403, "Forbidden"),
          Map.entry(404, "Not Found"),
          Map.entry(405, "Method Not Allowed"),
          Map.entry(408, "Request Timeout"),
          Map.entry(412, "Precondition Failed"),
          Map.entry(414, "URI Too Long"),
          Map.entry(416, "Range Not Satisfiable"),
          Map.entry(431, "Request Header Fields Too Large"),
          Map.entry(500, "Internal Server Error"),
          Map.entry(503, "Service Unavailable"),
          Map.entry(505, "HTTP Version Not Supported"));

  /**
   * A header field.
   *
   * @param name as it is written
   * @param value Latin-1 without control characters
   */
  record Field(String name, String value) {}

  /** What follows the head. */
  sealed interface Body {
    /** Nothing, not even a length: status 304. */
    record None() implements Body {}

    /** Bytes in memory. */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record Bytes(byte[] bytes) implements Body {}

    /**
     * A part of a file.
     *
     * @param file open for reading; closed by the response
     * @param from offset of the first byte
     */
    record Part(FileChannel file, long from, long lengthBytes) implements Body {}

    /**
     * The length of a body that is not sent, for HEAD.
     *
     * @param lengthBytes what GET would send
     */
    record Omitted(long lengthBytes) implements Body {}
  }

  Response {
    fields = List.copyOf(fields);
  }

  /**
   * A short text.
   *
   * @param detail a line for the client, or empty for the status alone
   */
  static Response text(int status, String detail, Field... more) {
    List<Field> fields = new ArrayList<>(List.of(more));
    fields.add(new Field("Content-Type", "text/plain; charset=utf-8"));
    String text = status + " " + reason(status) + (detail.isEmpty() ? "" : ": " + detail) + "\n";
    return new Response(status, fields, new Body.Bytes(text.getBytes(UTF_8)));
  }

  /** The same without its body: the answer to HEAD. Closes the file, if there is one. */
  Response withoutBody() throws IOException {
    close();
    return switch (body) {
      case Body.Bytes(byte[] bytes) -> new Response(status, fields, new Body.Omitted(bytes.length));
      case Body.Part part -> new Response(status, fields, new Body.Omitted(part.lengthBytes()));
      case Body.None none -> this;
      case Body.Omitted omitted -> this;
    };
  }

  /**
   * The head as it is sent.
   *
   * @param connection the fields about the connection, {@code Date} and the like, which come first
   */
  byte[] head(List<Field> connection) {
    StringBuilder out = new StringBuilder(256);
    out.append("HTTP/1.1 ").append(status).append(' ').append(reason(status)).append("\r\n");
    connection.forEach(field -> append(out, field));
    fields.forEach(field -> append(out, field));
    long length =
        switch (body) {
          case Body.Bytes(byte[] bytes) -> bytes.length;
          case Body.Part part -> part.lengthBytes();
          case Body.Omitted(long lengthBytes) -> lengthBytes;
          case Body.None none -> -1;
        };
    if (length >= 0) {
      append(out, new Field("Content-Length", Long.toString(length)));
    }
    return out.append("\r\n").toString().getBytes(ISO_8859_1);
  }

  @Override
  public void close() throws IOException {
    if (body instanceof Body.Part part) {
      part.file().close();
    }
  }

  private static String reason(int status) {
    return REASONS.getOrDefault(status, "Unknown");
  }

  private static void append(StringBuilder out, Field field) {
    out.append(field.name()).append(": ").append(field.value()).append("\r\n");
  }
}
