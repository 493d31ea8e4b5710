package dev.peekpass.proxy.turn;

/** Something whose descriptor a {@link Poller} watches. */
public interface Pollable {
  /**
   * Its descriptor has news.
   *
   * @param events EPOLLIN and others, as epoll_wait(2) reports them
   */
  void onEvents(int events);

  /**
   * {@link #onEvents} has thrown: gives up whatever the events were about, so that nothing is left
   * half done. What happened is logged already.
   */
  default void onFault() {}
}
