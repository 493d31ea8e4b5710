package dev.peekpass.proxy.config;

import java.util.Optional;
import java.util.OptionalInt;

/**
 * What one client may do, on a listener or over all of them.
 *
 * @param maxPending how many of its accepted connections may wait for further bytes, 1 to 1048576;
 *     empty for any number
 * @param maxNew how many of its connections may come in a time; empty for any number
 * @param prefix which addresses are one client
 */
public record ClientLimits(OptionalInt maxPending, Optional<Rate> maxNew, ClientPrefix prefix) {
  /** None. */
  public static final ClientLimits NONE =
      new ClientLimits(OptionalInt.empty(), Optional.empty(), ClientPrefix.STANDARD);

  /** Whether anything is limited. */
  public boolean areAny() {
    return maxPending.isPresent() || maxNew.isPresent();
  }
}
