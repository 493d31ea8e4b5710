package dev.peekpass.proxy.status;

import java.util.Locale;

/** How the way to one of a backend's UNIX sockets is, as last seen. */
public enum ChannelState {
  /** A UNIX connection is there, and has room. */
  OPEN,
  /** No UNIX connection now: none was needed yet, or it ended and none was needed since. */
  IDLE,
  /** The socket's queue is full. */
  FULL,
  /** The receiver has said that it takes what was sent, and no more. */
  DRAINING,
  /** The receiver has not said hello yet, or does not acknowledge within ack-timeout. */
  SILENT,
  /** The backend's probe has failed several times in a row. */
  UNHEALTHY,
  /** The receiver ends each UNIX connection, and may have said why. */
  REFUSED,
  /** The last attempt to connect failed. */
  DOWN;

  private final String label = name().toLowerCase(Locale.ROOT);

  /** The name in a status, such as {@code open}. */
  public String label() {
    return label;
  }
}
