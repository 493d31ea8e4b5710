package dev.peekpass.proxy.refusal;

import dev.peekpass.linux.NativeBuffer;
import java.nio.charset.StandardCharsets;

/** The bytes that tell a client why it is turned away. Written once, sent as they are. */
public final class Answer {
  /** AlertDescription values, RFC 8446 section 6. */
  public static final int ALERT_ILLEGAL_PARAMETER = 47;

  public static final int ALERT_DECODE_ERROR = 50;
  public static final int ALERT_INTERNAL_ERROR = 80;
  public static final int ALERT_UNRECOGNIZED_NAME = 112;

  /** Error codes, RFC 9113 section 7. */
  public static final int H2_PROTOCOL_ERROR = 1;

  public static final int H2_REFUSED_STREAM = 7;

  public final NativeBuffer bytes;
  public final int length;

  private Answer(byte[] content) {
    bytes = new NativeBuffer(content.length);
    bytes.bytes().put(0, content);
    length = content.length;
  }

  /** A record with a fatal alert, RFC 8446 sections 5.1 and 6. */
  public static Answer tlsAlert(int description) {
    return new Answer(new byte[] {21, 3, 3, 0, 2, 2, (byte) description});
  }

  /**
   * An HTTP/1.1 response that ends the connection.
   *
   * @param status 400 to 599
   * @param text one line for people
   */
  public static Answer http1(int status, String text) {
    String body = text + "\n";
    String head =
        "HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
            .formatted(status, reasonPhrase(status), body.length());
    return new Answer((head + body).getBytes(StandardCharsets.US_ASCII));
  }

  /** RFC 9110 section 15; a phrase is optional (RFC 9112 section 4), so others go without. */
  private static String reasonPhrase(int status) {
    return switch (status) {
      case 400 -> "Bad Request";
      case 403 -> "Forbidden";
      case 404 -> "Not Found";
      case 408 -> "Request Timeout";
      case 410 -> "Gone";
      case 421 -> "Misdirected Request";
      case 431 -> "Request Header Fields Too Large";
      case 502 -> "Bad Gateway";
      case 503 -> "Service Unavailable";
      default -> "";
    };
  }

  /**
   * The server's preface (an empty SETTINGS) and a GOAWAY that says that no stream was processed
   * (RFC 9113 sections 3.4 and 6.8).
   *
   * @param error the error code
   * @param debug the GOAWAY's debug data, ASCII
   */
  public static Answer http2GoAway(int error, String debug) {
    byte[] text = debug.getBytes(StandardCharsets.US_ASCII);
    byte[] frames = new byte[9 + 9 + 8 + text.length];
    frames[3] = 4;
    frames[11] = (byte) (8 + text.length);
    frames[12] = 7;
    frames[25] = (byte) error;
    System.arraycopy(text, 0, frames, 26, text.length);
    return new Answer(frames);
  }
}
