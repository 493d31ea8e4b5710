package dev.peekpass.proxy;

/** Starts threads. */
interface Threads {
  /** Platform threads, which keep the process alive. */
  Threads PLATFORM = (name, body) -> Thread.ofPlatform().name(name).start(body);

  /**
   * Starts one.
   *
   * @throws OutOfMemoryError when there can be no more
   */
  void start(String name, Runnable body);
}
