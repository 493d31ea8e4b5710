package dev.peekpass.agent;

import dev.peekpass.agent.Arrivals.Place;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.receiver.DescriptorReceiver;
import dev.peekpass.receiver.HandedOff;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import org.jspecify.annotations.Nullable;

/**
 * Takes connections from the UNIX socket into the queue, in a thread of its own: whatever comes on
 * the socket and is no connection is dealt with here, and the server never wakes for it.
 *
 * <p>Where connections are acknowledged one at a time is claimed, and acknowledged when the server
 * has taken it:
 *
 * <pre>{@code
 * offered ──claim──> in the queue, as it came ──accept()──> acknowledged, the server's
 *    │                          │ the server closes, or dies
 *    └── nobody accepts ──> the proxy has it back
 * }</pre>
 *
 * So a server that does not accept keeps one from others, and one that ends keeps none.
 */
final class HandOffIntake {
  private final DescriptorReceiver receiver;
  private final Arrivals arrivals;
  private final System.Logger log;
  private final Thread thread;

  /** What is not acknowledged yet; guarded by this. */
  private @Nullable Place held;

  /**
   * Prepares it.
   *
   * @param receiver this object's to close
   */
  HandOffIntake(String name, DescriptorReceiver receiver, Arrivals arrivals, System.Logger log) {
    this.log = log;
    this.receiver = receiver;
    this.arrivals = arrivals;
    thread = Thread.ofPlatform().daemon().name("peekpass-agent " + name).unstarted(this::run);
  }

  void start() {
    thread.start();
  }

  private void run() {
    Kernel kernel = LinuxKernel.open();
    try {
      while (arrivals.awaitRoom()) {
        HandedOff connection = receiver.acceptUnacknowledged();
        Place place = add(connection);
        if (place == null) {
          connection.discard(kernel);
        } else if (receiver.isAcknowledged()) {
          arrivals.awaitTaken(place);
          settle();
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

  private synchronized @Nullable Place add(HandedOff connection) {
    Place place = arrivals.add(connection);
    held = place;
    return place;
  }

  /** Acknowledges what the server has; what it has not goes back when the receiver is closed. */
  private synchronized void settle() {
    Place place = held;
    held = null;
    if (place != null && receiver.isAcknowledged() && arrivals.awaitTaken(place)) {
      receiver.acknowledge();
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
    // Before the end, which gives back what is not acknowledged.
    settle();
    receiver.close();
  }
}
