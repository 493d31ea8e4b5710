package dev.peekpass.receiver;

import java.lang.System.Logger.Level;

/**
 * The log as the receiving thread uses it: it has descriptors also at the process's limit, and
 * whatever a logger throws ends nothing but the line it was to write.
 *
 * <p>A logger opens files when it is first used and some when they like: configuration, time zones,
 * its own file that it rotates. Without room for that it throws, Errors too.
 */
final class ReceiverLog {
  private final System.Logger logger;
  private final SpareDescriptors spare;
  private final Tally tally;

  ReceiverLog(System.Logger logger, SpareDescriptors spare, Tally tally) {
    this.logger = logger;
    this.spare = spare;
    this.tally = tally;
  }

  /** Logs a line, or counts it as lost. */
  void log(Level level, String message) {
    spare.close();
    try {
      logger.log(level, message);
    } catch (RuntimeException | Error e) {
      // There is nowhere to say so, and receiving must go on.
      if (e instanceof VirtualMachineError fatal) {
        throw fatal;
      }
      tally.unlogged.increment();
    } finally {
      spare.open();
    }
  }

  /** Whether a line of this level would be written, as far as the logger can say. */
  boolean isLoggable(Level level) {
    try {
      return logger.isLoggable(level);
    } catch (RuntimeException | Error e) {
      if (e instanceof VirtualMachineError fatal) {
        throw fatal;
      }
      return false;
    }
  }
}
