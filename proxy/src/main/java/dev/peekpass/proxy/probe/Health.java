package dev.peekpass.proxy.probe;

/** What a row of good and bad answers comes to. It begins healthy. */
final class Health {
  private final int rise;
  private final int fall;
  private boolean healthy = true;
  private int against;

  /**
   * Begins.
   *
   * @param rise how many good answers in a row make it healthy again
   * @param fall how many bad ones in a row make it unhealthy
   */
  Health(int rise, int fall) {
    this.rise = rise;
    this.fall = fall;
  }

  /** Takes an answer; returns whether that changes what it is. */
  boolean record(boolean good) {
    if (good == healthy) {
      against = 0;
      return false;
    }
    against++;
    if (against < (healthy ? fall : rise)) {
      return false;
    }
    against = 0;
    healthy = good;
    return true;
  }

  boolean isHealthy() {
    return healthy;
  }
}
