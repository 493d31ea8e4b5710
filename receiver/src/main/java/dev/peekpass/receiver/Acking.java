package dev.peekpass.receiver;

/** When a connection that is given out is acknowledged, if it was offered to be. */
enum Acking {
  /** Before it is given out. */
  AT_ONCE,

  /** With others of its message, since the caller will be back at once. */
  BY_MESSAGE,

  /** When the caller is back; until then closing gives it back to the proxy. */
  WHEN_BACK
}
