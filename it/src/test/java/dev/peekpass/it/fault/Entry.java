package dev.peekpass.it.fault;

/**
 * What one connection came to.
 *
 * @param number of its request, and so in the backends' logs
 * @param begunMicros when it was opened, by CLOCK_MONOTONIC
 * @param endedMicros when it had come to this
 * @param client its own address and port, as in the proxy's log
 * @param backend the X-Backend of the answer, or -
 * @param outcome as in load.c
 */
record Entry(
    int number, long begunMicros, long endedMicros, String client, String backend, String outcome) {
  static Entry parse(String line) {
    String[] fields = line.split(" ", -1);
    return new Entry(
        Integer.parseInt(fields[0]),
        Long.parseLong(fields[1]),
        Long.parseLong(fields[2]),
        fields[3],
        fields[4],
        fields[5]);
  }

  boolean isServed() {
    return outcome.equals("ok");
  }

  boolean isFailed() {
    return !isServed();
  }

  /** Whether it failed before there was a connection. */
  boolean failedAtConnect() {
    return outcome.equals("refused") || outcome.equals("reset-at-connect");
  }

  long micros() {
    return endedMicros - begunMicros;
  }
}
