package dev.peekpass.receiver;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.PeerCredentials;
import dev.peekpass.linux.SharedWords;
import dev.peekpass.wire.ClaimWord;
import dev.peekpass.wire.FromProxy;
import dev.peekpass.wire.FromReceiver;
import dev.peekpass.wire.Metadata;
import java.util.List;

/**
 * Classes that are first used when something comes in. To name them here loads them with the
 * receiver: loading takes a descriptor, and a class that could not be loaded at the limit never can
 * be again.
 */
final class EarlyClasses {
  private static final List<Class<?>> LOADED =
      List.of(
          Errno.class,
          PeerCredentials.class,
          Inspection.Kind.class,
          Statistics.class,
          OfferChannel.class,
          Acking.class,
          Arrival.class,
          Messages.Result.class,
          HandedOff.class,
          SharedWords.class,
          FromReceiver.class,
          FromProxy.Kind.class,
          ClaimWord.class,
          Metadata.class,
          ClosingAside.Closing.class,
          ClosingAside.How.class,
          Emptying.class);

  private EarlyClasses() {}

  /** Sees to it that all of them are loaded; returns how many that are. */
  static int load() {
    return LOADED.size();
  }
}
