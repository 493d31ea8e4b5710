package dev.peekpass.wire;

import static java.nio.charset.StandardCharsets.US_ASCII;

/** The static table of HPACK (RFC 7541 appendix A). */
final class HpackStaticTable {
  /** How many entries there are; their indices are 1 to this. */
  static final int ENTRIES = 61;

  // One entry a line; the value follows the first space.
  private static final String TEXT =
      """
      :authority
      :method GET
      :method POST
      :path /
      :path /index.html
      :scheme http
      :scheme https
      :status 200
      :status 204
      :status 206
      :status 304
      :status 400
      :status 404
      :status 500
      accept-charset
      accept-encoding gzip, deflate
      accept-language
      accept-ranges
      accept
      access-control-allow-origin
      age
      allow
      authorization
      cache-control
      content-disposition
      content-encoding
      content-language
      content-length
      content-location
      content-range
      content-type
      cookie
      date
      etag
      expect
      expires
      from
      host
      if-match
      if-modified-since
      if-none-match
      if-range
      if-unmodified-since
      last-modified
      link
      location
      max-forwards
      proxy-authenticate
      proxy-authorization
      range
      referer
      refresh
      retry-after
      server
      set-cookie
      strict-transport-security
      transfer-encoding
      user-agent
      vary
      via
      www-authenticate
      """;

  private static final byte[][] NAMES = new byte[ENTRIES + 1][];
  private static final byte[][] VALUES = new byte[ENTRIES + 1][];

  static {
    NAMES[0] = new byte[0];
    VALUES[0] = new byte[0];
    int index = 1;
    for (String line : TEXT.lines().toList()) {
      int space = line.indexOf(' ');
      NAMES[index] = line.substring(0, space < 0 ? line.length() : space).getBytes(US_ASCII);
      VALUES[index] = line.substring(space < 0 ? line.length() : space + 1).getBytes(US_ASCII);
      index++;
    }
  }

  private HpackStaticTable() {}

  /**
   * The name at an index; not to be written to.
   *
   * @param index 1 to {@link #ENTRIES}
   */
  static byte[] name(int index) {
    return NAMES[index];
  }

  /**
   * The value at an index, often empty; not to be written to.
   *
   * @param index 1 to {@link #ENTRIES}
   */
  static byte[] value(int index) {
    return VALUES[index];
  }
}
