package dev.peekpass.proxy.config;

import dev.peekpass.proxy.route.CidrSet;
import java.util.List;

/**
 * Whose connections a listener lets in. This is the one place where that is decided.
 *
 * @param allow only addresses in these blocks; all, when there is no block
 * @param deny none in these, whatever {@code allow} says
 */
public record AccessList(CidrSet allow, CidrSet deny) {
  /** Lets everybody in. */
  public static final AccessList OPEN =
      new AccessList(new CidrSet(List.of()), new CidrSet(List.of()));

  /** Whether it lets everybody in. */
  public boolean isOpen() {
    return allow.blocks().isEmpty() && deny.blocks().isEmpty();
  }

  /**
   * Whether an address is let in.
   *
   * @param high its first 64 bits; an IPv4 address in its mapped form
   * @param low its last 64 bits
   */
  public boolean letsIn(long high, long low) {
    return !deny.contains(high, low) && (allow.blocks().isEmpty() || allow.contains(high, low));
  }
}
