package dev.peekpass.cli;

/** How much is logged. */
enum LogLevel {
  error,
  warn,
  info,
  debug
}
