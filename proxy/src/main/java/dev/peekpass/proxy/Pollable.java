package dev.peekpass.proxy;

/** Something whose descriptor a {@link Poller} watches. */
interface Pollable {

  /**
   * Its descriptor is ready.
   *
   * @param events EPOLL… bits
   */
  void onEvents(int events);
}
