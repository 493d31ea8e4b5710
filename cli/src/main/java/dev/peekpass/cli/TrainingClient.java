package dev.peekpass.cli;

import static dev.peekpass.cli.TrainingBackend.checked;
import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.linux.SystemCallException;
import java.net.InetAddress;
import java.nio.ByteBuffer;

/**
 * The clients of a {@link Training}: HTTP and TLS by turns, names that a route has exactly and by
 * its wildcard, and now and then a head that comes in two parts.
 */
final class TrainingClient {
  /** A name that has a route. */
  static final String NAME = "training.example";

  /** A name that a wildcard's route takes. */
  private static final String WILD = "a.wild.example";

  /** One in so many heads comes in two parts. */
  private static final int PARTED = 16;

  /** What a browser's ClientHello has at least, about: the server's name is not at its end. */
  private static final int PADDING_BYTES = 400;

  private final Kernel kernel;
  private final SockAddr proxy = new SockAddr();
  private final NativeBuffer buffer = new NativeBuffer(4096);
  private final byte[][] heads = {http(NAME), hello(NAME), http(WILD), hello(WILD)};

  /**
   * Makes clients, one at a time.
   *
   * @param port of the proxy on 127.0.0.1
   */
  TrainingClient(Kernel kernel, int port) {
    this.kernel = kernel;
    proxy.inet(InetAddress.ofLiteral("127.0.0.1"), port, 0);
  }

  /** Connects so many times, each time until the backend has closed the connection. */
  void connect(int count) throws SystemCallException {
    for (int i = 0; i < count; i++) {
      connect(heads[i % heads.length], i % PARTED == 0);
    }
  }

  private void connect(byte[] head, boolean parted) throws SystemCallException {
    int type = Linux.SOCK_STREAM | Linux.SOCK_CLOEXEC;
    Fd socket = Fd.of(checked("socket", kernel.socket(Linux.AF_INET, type, 0)));
    try {
      checked("connect", kernel.connect(socket, proxy));
      buffer.bytes().put(0, head);
      int first = parted ? head.length / 2 : head.length;
      send(socket, 0, first);
      if (parted) {
        send(socket, first, head.length - first);
      }
      checked("recv", kernel.recv(socket, buffer, 0, buffer.capacity(), 0));
    } finally {
      kernel.close(socket);
    }
  }

  private void send(Fd socket, int offset, int length) throws SystemCallException {
    checked("send", kernel.send(socket, buffer, offset, length, Linux.MSG_NOSIGNAL));
  }

  private static byte[] http(String name) {
    String from = "\r\nUser-Agent: training/1\r\nAccept: */*\r\n\r\n";
    return ("GET /path HTTP/1.1\r\nHost: " + name + from).getBytes(US_ASCII);
  }

  /** A ClientHello, RFC 8446 section 4.1.2, with the extensions that are looked at and padding. */
  private static byte[] hello(String name) {
    byte[] host = name.getBytes(US_ASCII);
    byte[] protocols = "\u0002h2\u0008http/1.1".getBytes(US_ASCII);
    ByteBuffer extensions = ByteBuffer.allocate(1024);
    // padding, RFC 7685
    extensions.putShort((short) 21).putShort((short) PADDING_BYTES).put(new byte[PADDING_BYTES]);
    // server_name, RFC 6066 section 3
    extensions.putShort((short) 0).putShort((short) (host.length + 5));
    extensions.putShort((short) (host.length + 3)).put((byte) 0);
    extensions.putShort((short) host.length).put(host);
    // application_layer_protocol_negotiation, RFC 7301 section 3.1
    extensions.putShort((short) 16).putShort((short) (protocols.length + 2));
    extensions.putShort((short) protocols.length).put(protocols);
    extensions.flip();

    // version, random, session id, one cipher suite, no compression, extensions
    int body = 2 + 32 + 1 + 4 + 2 + 2 + extensions.remaining();
    ByteBuffer record = ByteBuffer.allocate(9 + body);
    record.put((byte) 22).putShort((short) 0x0301).putShort((short) (4 + body));
    record.putInt(1 << 24 | body);
    record.putShort((short) 0x0303).put(new byte[32]).put((byte) 0);
    record.putShort((short) 2).putShort((short) 0x1301).putShort((short) 0x0100);
    record.putShort((short) extensions.remaining()).put(extensions);
    return record.array();
  }
}
