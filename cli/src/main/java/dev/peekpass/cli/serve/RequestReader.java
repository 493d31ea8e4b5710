package dev.peekpass.cli.serve;

import java.io.IOException;

/** Cuts what a client sends into requests; what comes after one waits for its turn. */
final class RequestReader {
  private final Transport transport;
  private final RequestHeadParser parser = new RequestHeadParser();
  private final byte[] bytes = new byte[RequestHeadParser.MAX_HEAD_BYTES + 1];
  private int from;
  private int to;

  RequestReader(Transport transport) {
    this.transport = transport;
  }

  /** Whether a byte of the next request is here already. */
  boolean hasMore() {
    return from < to;
  }

  /**
   * Waits for a byte.
   *
   * @return false when the client sends no more
   */
  boolean fill() throws IOException {
    if (from > 0) {
      System.arraycopy(bytes, from, bytes, 0, to - from);
      to -= from;
      from = 0;
    }
    int count = transport.read(bytes, to, bytes.length - to);
    to += Math.max(count, 0);
    return count > 0;
  }

  /**
   * Waits for the next head.
   *
   * @return {@link ParsedHead.Incomplete} when the client stopped before its end
   */
  ParsedHead head() throws IOException {
    parser.reset();
    while (true) {
      ParsedHead head = parser.parse(bytes, from, to);
      if (head instanceof ParsedHead.Found found) {
        from += found.lengthBytes();
        return head;
      }
      // The parser refuses before the buffer is full, so fill() has room.
      if (head instanceof ParsedHead.Refused || !fill()) {
        return head;
      }
    }
  }

  /**
   * Reads a body and throws it away.
   *
   * @return false when the client stopped before its end
   */
  boolean discard(long lengthBytes) throws IOException {
    long left = lengthBytes;
    while (true) {
      int here = (int) Math.min(left, to - from);
      from += here;
      left -= here;
      if (left == 0) {
        return true;
      }
      if (!fill()) {
        return false;
      }
    }
  }
}
