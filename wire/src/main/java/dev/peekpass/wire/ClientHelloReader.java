package dev.peekpass.wire;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Reads one whole ClientHello message (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2): every
 * length in it must fit exactly, or the message is malformed.
 *
 * <pre>
 * legacy_version 2 | random 32 | session_id &lt;0..32&gt; | cipher_suites &lt;2..2^16-2&gt;
 *                  | compression_methods &lt;1..2^8-1&gt; [ | extensions &lt;0..2^16-1&gt; ]
 * </pre>
 */
final class ClientHelloReader {
  private static final int RANDOM_BYTES = 32; // RFC 8446 section 4.1.2
  private static final int MAX_SESSION_ID_BYTES = 32; // RFC 8446 section 4.1.2

  private static final int EXTENSION_SERVER_NAME = 0; // RFC 6066 section 3
  private static final int EXTENSION_ALPN = 16; // RFC 7301 section 3.1
  private static final int EXTENSION_ENCRYPTED_CLIENT_HELLO = 0xfe0d; // RFC 9849 section 5
  private static final int NAME_TYPE_HOST_NAME = 0; // RFC 6066 section 3

  private static final Parsed<Peeked> SHORT =
      new Parsed.Invalid<>("a field runs over the ClientHello's end (RFC 8446 section 4.1.2)");
  private static final Parsed<Peeked> SESSION_ID =
      new Parsed.Invalid<>("session_id longer than 32 bytes (RFC 8446 section 4.1.2)");
  private static final Parsed<Peeked> CIPHER_SUITES =
      new Parsed.Invalid<>("cipher_suites empty or of odd length (RFC 8446 section 4.1.2)");
  private static final Parsed<Peeked> COMPRESSION_METHODS =
      new Parsed.Invalid<>("compression_methods empty (RFC 8446 section 4.1.2)");
  private static final Parsed<Peeked> TRAILING =
      new Parsed.Invalid<>("bytes after the extensions (RFC 8446 section 4.1.2)");
  private static final Parsed<Peeked> EXTENSION_LENGTH =
      new Parsed.Invalid<>("an extension runs over the list's end (RFC 8446 section 4.2)");
  private static final Parsed<Peeked> EXTENSION_TWICE =
      new Parsed.Invalid<>("an extension occurs twice (RFC 8446 section 4.2)");
  private static final Parsed<Peeked> SERVER_NAME_LENGTH =
      new Parsed.Invalid<>("server_name lengths do not fit (RFC 6066 section 3)");
  private static final Parsed<Peeked> SERVER_NAME_EMPTY =
      new Parsed.Invalid<>("server_name holds an empty list or name (RFC 6066 section 3)");
  private static final Parsed<Peeked> SERVER_NAME_CHARACTER =
      new Parsed.Invalid<>("server_name holds a control character or a space (RFC 6066 section 3)");
  private static final Parsed<Peeked> SERVER_NAME_TWICE =
      new Parsed.Invalid<>("server_name holds two names of one type (RFC 6066 section 3)");
  private static final Parsed<Peeked> ALPN_LENGTH =
      new Parsed.Invalid<>("ALPN lengths do not fit (RFC 7301 section 3.1)");
  private static final Parsed<Peeked> ALPN_EMPTY =
      new Parsed.Invalid<>("ALPN holds an empty list or name (RFC 7301 section 3.1)");

  private final Parsed<Peeked> found;
  private final Parsed<Peeked> absent;
  private final Cursor extensions = new Cursor();
  private final Cursor data = new Cursor();
  private final Cursor list = new Cursor();
  private final TypeSet extensionTypes = new TypeSet(1 << 16);
  private final TypeSet nameTypes = new TypeSet(1 << 8);

  /**
   * A reader.
   *
   * @param found what to return for a hello that names a host
   * @param absent what to return for a hello that names none
   */
  ClientHelloReader(Parsed<Peeked> found, Parsed<Peeked> absent) {
    this.found = found;
    this.absent = absent;
  }

  /**
   * Reads a message.
   *
   * @param message the body of the handshake message, all of it
   * @param peeked takes what is found; begun by the caller
   * @return found, absent or {@link Parsed.Invalid}
   */
  Parsed<Peeked> read(Cursor message, Peeked peeked) {
    // legacy_version is not judged: any value is for the server to negotiate (RFC 5246 E.1).
    message.u16();
    message.take(RANDOM_BYTES);
    int sessionIdBytes = message.u8();
    if (sessionIdBytes > MAX_SESSION_ID_BYTES) {
      return SESSION_ID;
    }
    message.take(sessionIdBytes);
    int cipherSuitesBytes = message.u16();
    if (message.overrun()) {
      return SHORT;
    }
    if (cipherSuitesBytes == 0 || (cipherSuitesBytes & 1) != 0) {
      return CIPHER_SUITES;
    }
    message.take(cipherSuitesBytes);
    int compressionMethodsBytes = message.u8();
    if (message.overrun()) {
      return SHORT;
    }
    if (compressionMethodsBytes == 0) {
      return COMPRESSION_METHODS;
    }
    message.take(compressionMethodsBytes);
    if (message.all()) {
      // RFC 5246 section 7.4.1.2: a hello may end here, without extensions.
      return absent;
    }
    message.sub(message.u16(), extensions);
    if (message.overrun()) {
      return SHORT;
    }
    if (!message.all()) {
      return TRAILING;
    }
    Parsed<Peeked> wrong = readExtensions(peeked);
    if (wrong != null) {
      return wrong;
    }
    return peeked.host().isEmpty() ? absent : found;
  }

  /** RFC 8446 section 4.2: extension_type 2 | extension_data &lt;0..2^16-1&gt;, in any order. */
  private @Nullable Parsed<Peeked> readExtensions(Peeked peeked) {
    extensionTypes.clear();
    while (!extensions.isEmpty()) {
      int type = extensions.u16();
      extensions.sub(extensions.u16(), data);
      if (extensions.overrun()) {
        return EXTENSION_LENGTH;
      }
      if (!extensionTypes.add(type)) {
        return EXTENSION_TWICE;
      }
      Parsed<Peeked> wrong =
          switch (type) {
            case EXTENSION_SERVER_NAME -> readServerName(peeked.host());
            case EXTENSION_ALPN -> readAlpn(peeked.alpn());
            case EXTENSION_ENCRYPTED_CLIENT_HELLO -> {
              peeked.encryptedClientHello(true);
              yield null;
            }
            default -> null;
          };
      if (wrong != null) {
        return wrong;
      }
    }
    return null;
  }

  /**
   * RFC 6066 section 3: ServerNameList &lt;1..2^16-1&gt; of name_type 1 | name &lt;1..2^16-1&gt;,
   * no type twice. Names of types yet unknown begin with a 16-bit length too, and are passed over.
   */
  private @Nullable Parsed<Peeked> readServerName(HostName host) {
    data.sub(data.u16(), list);
    if (!data.all()) {
      return SERVER_NAME_LENGTH;
    }
    if (list.isEmpty()) {
      return SERVER_NAME_EMPTY;
    }
    nameTypes.clear();
    while (!list.isEmpty()) {
      int type = list.u8();
      int nameBytes = list.u16();
      int from = list.take(nameBytes);
      if (list.overrun()) {
        return SERVER_NAME_LENGTH;
      }
      if (!nameTypes.add(type)) {
        return SERVER_NAME_TWICE;
      }
      if (type == NAME_TYPE_HOST_NAME) {
        if (nameBytes == 0) {
          return SERVER_NAME_EMPTY;
        }
        // Also when it is wrong: for the log.
        host.set(list.source(), from, nameBytes);
        if (!isVisible(list.source(), from, nameBytes)) {
          return SERVER_NAME_CHARACTER;
        }
      }
    }
    return null;
  }

  private static boolean isVisible(ByteBuffer bytes, int from, int count) {
    for (int at = from; at < from + count; at++) {
      if (!Ascii.isVisible(bytes.get(at))) {
        return false;
      }
    }
    return true;
  }

  /** RFC 7301 section 3.1: ProtocolNameList &lt;2..2^16-1&gt; of ProtocolName &lt;1..2^8-1&gt;. */
  private @Nullable Parsed<Peeked> readAlpn(AlpnList alpn) {
    data.sub(data.u16(), list);
    if (!data.all()) {
      return ALPN_LENGTH;
    }
    if (list.isEmpty()) {
      return ALPN_EMPTY;
    }
    int from = list.position();
    while (!list.isEmpty()) {
      int nameBytes = list.u8();
      if (nameBytes == 0) {
        return ALPN_EMPTY;
      }
      list.take(nameBytes);
      if (list.overrun()) {
        return ALPN_LENGTH;
      }
    }
    alpn.set(list.source(), from, list.position());
    return null;
  }
}
