package dev.peekpass.proxy.status;

/**
 * A listening address at one moment.
 *
 * @param address what it is bound to, with the real port
 * @param bind the address in the configuration
 * @param closing whether a reload has removed it and it takes only what had begun
 * @param sockets how many sockets listen there
 * @param queued connections that the kernel holds to be accepted
 * @param pending accepted connections whose head is not complete
 * @param clients how many clients these are of
 * @param turnedAway how many connections were turned away when they were accepted, since the socket
 *     listens
 */
public record ListenerStatus(
    String address,
    String bind,
    boolean closing,
    int sockets,
    int queued,
    int pending,
    int clients,
    TurnedAway turnedAway) {

  /**
   * Why connections were turned away when they were accepted.
   *
   * @param denied by allow or deny
   * @param maxPending by max-pending-per-client, of this listener or over all of them
   * @param maxNew by max-new-per-client, of this listener or over all of them
   */
  public record TurnedAway(long denied, long maxPending, long maxNew) {
    TurnedAway plus(TurnedAway other) {
      return new TurnedAway(
          denied + other.denied, maxPending + other.maxPending, maxNew + other.maxNew);
    }
  }

  /** What two loops know of the same address. */
  public ListenerStatus plus(ListenerStatus other) {
    return new ListenerStatus(
        address,
        bind,
        closing && other.closing,
        sockets + other.sockets,
        queued + other.queued,
        pending + other.pending,
        clients + other.clients,
        turnedAway.plus(other.turnedAway));
  }
}
