package dev.peekpass.receiver;

import dev.peekpass.linux.Linux;

/** The type of UNIX socket that a receiver binds (unix(7)), which decides how a proxy hands off. */
public enum SocketType {
  /** For the methods {@code once} and {@code persistent}, which are the same to a receiver. */
  STREAM(Linux.SOCK_STREAM),

  /**
   * For the method {@code datagram}: one queue, without UNIX connections. The kernel keeps it short
   * ({@code net.unix.max_dgram_qlen} messages).
   */
  DATAGRAM(Linux.SOCK_DGRAM),

  /**
   * For the method {@code acknowledged}, on a seqpacket socket: connections come with what the
   * proxy knows about them, and none is lost while it is on its way, whatever happens to this
   * process.
   */
  ACKNOWLEDGED(Linux.SOCK_SEQPACKET);

  private final int number;

  SocketType(int number) {
    this.number = number;
  }

  /** SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET. */
  int number() {
    return number;
  }
}
