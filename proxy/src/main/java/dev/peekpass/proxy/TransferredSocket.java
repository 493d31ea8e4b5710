package dev.peekpass.proxy;

import dev.peekpass.linux.Fd;

/**
 * A listening socket on its way from one process to another.
 *
 * @param bind the address in the configuration that it was opened for; empty when nobody knows
 * @param fd owned by the holder of this value
 */
public record TransferredSocket(String bind, Fd fd) {}
