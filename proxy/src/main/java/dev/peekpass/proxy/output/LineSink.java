package dev.peekpass.proxy.output;

import java.util.function.BooleanSupplier;

/** Takes lines from any number of threads, and keeps them whole. */
@FunctionalInterface
public interface LineSink {
  /**
   * Writes lines, waiting while their reader is slow. Never throws for what becomes of them.
   *
   * @param lines the first {@code length} bytes are whole lines, each with its line feed; not kept
   * @param givesUp asked some ten times a second while there is no room; once it is true, what is
   *     not written is lost
   * @return how many of the lines were lost, because writing failed or was given up
   */
  int write(byte[] lines, int length, BooleanSupplier givesUp);
}
