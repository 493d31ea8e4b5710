package dev.peekpass.simulation;

/** How an acknowledging receiver behaves. Chances are times in ten thousand, at each step. */
public final class Manners {
  /** Whether it maps the page and claims in it. */
  public boolean claims = true;

  /** How many connections it takes in one message. */
  public int most = 253;

  /** How many it lets the proxy be ahead of what it has settled. */
  public int credits = 256;

  /** How long it takes to say hello at most. */
  public long helloNanos;

  /** How long at most until its application takes a connection. */
  public long claimNanos;

  /** How long at most until it acknowledges it then. */
  public long ackNanos;

  /** How long at most until its application reads or writes. */
  public long touchNanos;

  /** How many connections it can have open. */
  public int maxDescriptors = 1000;

  /** Whether it looks before it takes a message, or loses what does not fit (MSG_CTRUNC). */
  public boolean looksFirst = true;

  /** How often it gives a connection back. */
  public int refusals;

  /** How often it is killed. */
  public int deaths;

  /** How long from one ACK that settles nothing to the next, or 0 when it sends none. */
  public long idleAckNanos;

  /** How often it does not let the proxy in, and says so. */
  public int denials;

  /** How often it breaks the protocol. */
  public int breaches;

  /** Makes those of one that is prompt and correct. */
  public Manners() {}
}
