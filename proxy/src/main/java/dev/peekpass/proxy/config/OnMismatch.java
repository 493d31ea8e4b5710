package dev.peekpass.proxy.config;

/**
 * What becomes of an HTTP/1 request whose target and Host name two hosts ({@code on-mismatch}). RFC
 * 9112 section 3.2.2 lets the target win; not every backend does.
 */
public enum OnMismatch {
  /** It is malformed ({@code refuse}). */
  REFUSE,
  /** The target's host is the one that counts ({@code target}). */
  TARGET
}
