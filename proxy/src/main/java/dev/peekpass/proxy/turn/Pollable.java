package dev.peekpass.proxy.turn;

/** Something whose descriptor a {@link Poller} watches. */
public interface Pollable {

  /**
   * Its descriptor is ready.
   *
   * @param events EPOLL… bits
   */
  void onEvents(int events);
}
