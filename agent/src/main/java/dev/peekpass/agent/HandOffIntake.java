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
  private final Thread thread;

  /**
   * Prepares it.
   *
   * @param receiver this object's to close
   */
  HandOffIntake(
      String name, DescriptorReceiver receiver, Arrivals arrivals, AcceptedSocket accepted) {
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
    }
  }

  /** Stops it. Closing the queue must come first: the thread may wait for room in it. */
  void close() throws IOException {
    receiver.close();
  }
}
