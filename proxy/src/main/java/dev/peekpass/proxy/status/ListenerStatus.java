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
 */
public record ListenerStatus(
    String address, String bind, boolean closing, int sockets, int queued, int pending) {

  /** What two loops know of the same address. */
  public ListenerStatus plus(ListenerStatus other) {
    return new ListenerStatus(
        address,
        bind,
        closing && other.closing,
        sockets + other.sockets,
        queued + other.queued,
        pending + other.pending);
  }
}
