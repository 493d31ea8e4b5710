package dev.peekpass.agent;

import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.receiver.DescriptorReceiver;
import dev.peekpass.receiver.HandedOff;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;

/**
 * Takes connections from the UNIX socket into the queue, in a thread of its own: whatever comes on
 * the socket and is no connection is dealt with here, and the server never wakes for it.
 */
final class HandOffIntake {
  private final DescriptorReceiver receiver;
  private final Arrivals arrivals;
  private final AcceptedSocket accepted;
  private final System.Logger log;
  private final Thread thread;

  /**
   * Prepares it.
   *
   * @param receiver this object's to close
   */
  HandOffIntake(
      String name,
      DescriptorReceiver receiver,
      Arrivals arrivals,
      AcceptedSocket accepted,
      System.Logger log) {
    this.log = log;
    this.receiver = receiver;
    this.arrivals = arrivals;
    this.accepted = accepted;
    thread = Thread.ofPlatform().daemon().name("peekpass-agent " + name).unstarted(this::run);
  }

  void start() {
    thread.start();
  }

  private void run() {
    Kernel kernel = LinuxKernel.open();
    try {
      while (arrivals.awaitRoom()) {
        HandedOff connection = receiver.accept();
        accepted.prepare(kernel, connection);
        if (!arrivals.add(connection)) {
          kernel.close(connection.fd());
        }
      }
    } catch (ClosedChannelException e) {
      // That is how it ends.
    } catch (RuntimeException | Error e) {
      // Nobody else would say so. Closed, the proxy learns it, and gives clients to others.
      log.log(System.Logger.Level.ERROR, thread.getName() + " has ended, which is a fault", e);
      closeQuietly();
    }
  }

  private void closeQuietly() {
    try {
      receiver.close();
    } catch (IOException e) {
      log.log(System.Logger.Level.ERROR, thread.getName(), e);
    }
  }

  /** Stops it. Closing the queue must come first: the thread may wait for room in it. */
  void close() throws IOException {
    receiver.close();
  }
}
