package dev.peekpass.proxy.status;

import java.util.ArrayList;
import java.util.List;

/**
 * A backend at one moment.
 *
 * @param name its name in the configuration
 * @param drained whether it gets no new connections
 * @param passed connections handed off to it, since the start or since a reload that changed it
 * @param waiting connections that wait for it
 * @param sockets its UNIX sockets
 */
public record BackendStatus(
    String name, boolean drained, long passed, int waiting, List<Socket> sockets) {

  /**
   * One of its UNIX sockets.
   *
   * @param reason why it is refused or down, in a few words; empty when it is not
   * @param passed connections that became the receiver's by it
   * @param unsettled connections that the receiver was offered and has not acknowledged
   * @param load how busy the receiver says it is, in thousandths, or -1 when it does not say
   * @param share how much of its part it gets, in thousandths: less while it starts slowly
   */
  public record Socket(
      String path,
      ChannelState state,
      String reason,
      long passed,
      int unsettled,
      int load,
      int share) {
    private Socket plus(Socket other) {
      Socket worse = state.compareTo(other.state) >= 0 ? this : other;
      return new Socket(
          path,
          worse.state,
          worse.reason,
          passed + other.passed,
          unsettled + other.unsettled,
          Math.max(load, other.load),
          Math.min(share, other.share));
    }
  }

  /** Copies the list. */
  public BackendStatus {
    sockets = List.copyOf(sockets);
  }

  /**
   * {@code drained}, {@code down} when all its sockets are or are unhealthy, else {@code ready}.
   */
  public String state() {
    boolean down =
        sockets.stream().allMatch(socket -> socket.state.compareTo(ChannelState.UNHEALTHY) >= 0);
    return drained ? "drained" : down ? "down" : "ready";
  }

  /** What two loops know of the same backend: numbers add up, the worse state counts. */
  public BackendStatus plus(BackendStatus other) {
    List<Socket> both = new ArrayList<>();
    for (int i = 0; i < sockets.size(); i++) {
      both.add(sockets.get(i).plus(other.sockets.get(i)));
    }
    return new BackendStatus(
        name, drained || other.drained, passed + other.passed, waiting + other.waiting, both);
  }
}
