package dev.peekpass.proxy.listen;

import dev.peekpass.proxy.config.AccessList;
import dev.peekpass.proxy.config.ClientLimits;
import dev.peekpass.proxy.config.ListenerConfig;
import dev.peekpass.proxy.config.Rate;
import dev.peekpass.proxy.route.IpAddress;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.turn.Turn;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Who is let in by a listener: decided once an address is known, before a byte is looked at. It
 * takes an address and not a connection, since the address may come from somewhere else than the
 * socket.
 *
 * <pre>{@code
 * deny, allow ──> incomplete ones here ──> in all ──> new ones here ──> in all ──> let in
 *      └ denied                └────────────┴──────────────┴──────────────┴ limited
 * }</pre>
 *
 * Who is turned away costs a close(2), a count, and a line of the log a minute for each reason: the
 * first at once, and one at the end of each minute in which there were more.
 */
final class Admission {
  private static final Refusal[] REFUSALS = Refusal.values();

  private final Turn turn;
  private final String label;
  private final Clients clients;
  private final AccessList access;
  private final ClientLimits perClient;
  private final boolean lets;
  private final int maxPending;
  private final long periodNanos;
  private final long intervalNanos;

  Admission(Turn turn, Clients clients, ListenerConfig config, String label) {
    this.turn = turn;
    this.label = label;
    this.clients = clients;
    access = config.access();
    perClient = config.perClient();
    lets = access.isOpen() && !perClient.areAny();
    maxPending = perClient.maxPending().orElse(Integer.MAX_VALUE);
    periodNanos = periodNanos(perClient.maxNew());
    intervalNanos = intervalNanos(perClient.maxNew());
  }

  private static long periodNanos(Optional<Rate> rate) {
    return rate.isEmpty() ? 0 : rate.get().period().toNanos();
  }

  private static long intervalNanos(Optional<Rate> rate) {
    return rate.isEmpty() ? 0 : periodNanos(rate) / rate.get().number();
  }

  /**
   * Why a connection is not let in, or null when it is. One that is counts as come.
   *
   * @param counts what is incomplete on the listener's socket
   * @param high the first 64 bits of its client's address; of IPv4 in its mapped form
   * @param low the last 64 bits
   */
  @Nullable Refusal refusal(ClientCounts counts, long high, long low) {
    ClientLimits inAll = clients.inAll();
    if (lets && !inAll.areAny()) {
      return null;
    }
    if (!access.letsIn(high, low)) {
      return Refusal.DENIED;
    }
    if (perClient.maxPending().isPresent() && counts.of(high, low) >= maxPending) {
      return Refusal.PENDING;
    }
    if (inAll.maxPending().isPresent()
        && clients.pendingInAll(high, low) >= inAll.maxPending().getAsInt()) {
      return Refusal.PENDING_IN_ALL;
    }
    if (intervalNanos > 0 && !counts.comes(high, low, intervalNanos, periodNanos)) {
      return Refusal.NEW;
    }
    if (!clients.comesInAll(high, low)) {
      if (intervalNanos > 0) {
        counts.didNotCome(high, low, intervalNanos);
      }
      return Refusal.NEW_IN_ALL;
    }
    return null;
  }

  /** Counts that a connection is turned away, and says so once a minute. */
  void count(ClientCounts counts, Refusal refusal, long high, long low) {
    counts.turnedAway(refusal, high, low);
    switch (refusal) {
      case DENIED -> {}
      case PENDING, PENDING_IN_ALL -> turn.count(Counter.MAX_PENDING_PER_CLIENT_REACHED);
      case NEW, NEW_IN_ALL -> turn.count(Counter.MAX_NEW_PER_CLIENT_REACHED);
    }
    if (counts.takeLine(refusal, turn.nowNanos())) {
      log(counts, refusal);
      turn.wakeBy(counts.minuteEndsNanos());
    }
  }

  /**
   * When the minute behind a line is over, says of how many it is by then, if there are more.
   *
   * @return when the next such minute is over
   */
  long runTimers(ClientCounts counts, long nowNanos) {
    if (counts.minuteEndsNanos() <= nowNanos) {
      for (Refusal refusal : REFUSALS) {
        if (counts.endsMinute(refusal, nowNanos) && counts.takeLine(refusal, nowNanos)) {
          log(counts, refusal);
        }
      }
    }
    return counts.minuteEndsNanos();
  }

  private void log(ClientCounts counts, Refusal refusal) {
    counts.said(refusal);
    IpAddress client = counts.lastTurnedAway(refusal);
    long number = counts.turnedAwayFor(refusal);
    ClientLimits inAll = clients.inAll();
    String why =
        switch (refusal) {
          case DENIED -> "by its allow and deny";
          case PENDING -> waits(maxPending) + " on this listener";
          case PENDING_IN_ALL -> waits(inAll.maxPending().orElse(0)) + " at the top level";
          case NEW -> often(perClient.maxNew()) + " on this listener";
          case NEW_IN_ALL -> often(inAll.maxNew()) + " at the top level";
        };
    turn.log()
        .warn(
            "listener {}: {} is turned away, {} so far for this reason: {}",
            label,
            client,
            number,
            why);
  }

  private static String waits(int limit) {
    return "it has "
        + limit
        + " connections that wait for further bytes; if it is an honest client, raise"
        + " max-pending-per-client";
  }

  private static String often(Optional<Rate> rate) {
    return "it comes more often than "
        + rate.map(Rate::toString).orElse("")
        + "; if it is an honest client, raise max-new-per-client";
  }
}
