package dev.peekpass.it.fault;

/**
 * One way to abuse the proxy.
 *
 * @param name in the table and on the command line
 * @param title what is done, for people
 * @param mode of abuse.c
 * @param open how many connections are held open
 * @param addresses from how many they come
 * @param rate how many are opened a second, at most
 * @param count after how many it ends, in all rounds; 0: it ends by the clock alone
 * @param millis how long a round takes at most
 */
record Attack(
    String name,
    String title,
    String mode,
    int open,
    int addresses,
    int rate,
    int count,
    int millis) {
  /** How many of them are in one process: each has a limit of descriptors. */
  private static final int IN_A_PROCESS = 5000;

  int processes() {
    return Math.ceilDiv(open, IN_A_PROCESS);
  }

  /** The part of it that is a round's. */
  Attack inRounds(int rounds) {
    return new Attack(
        name, title, mode, open, addresses, rate, Math.ceilDiv(count, rounds), millis);
  }
}
