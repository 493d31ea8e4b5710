package dev.peekpass.simulation;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A client: connects, sends its bytes in segments, and ends its side, breaks off or falls silent.
 */
public final class Client {

  /** What a client does after its last byte. */
  public enum End {
    /** Ends its side. */
    FIN,
    /** Breaks off. */
    RESET,
    /** Nothing at all. */
    SILENCE
  }

  private static final int MAX_ATTEMPTS = 4;
  private static final long SYN_AGAIN_NANOS = 1_000_000_000L;

  /** As a listener set to one second behaves. */
  private static final long DEFERRED_NANOS = 1_000_000_000L;

  private final World world;
  private final int number;
  private final TcpListener listener;
  private final byte[] bytes;
  private final Object flight;
  private @Nullable TcpConnection connection;
  private boolean inPieces;
  private long addressHigh;
  private long addressLow = 0xffff_0000_0000L | 0xc0000200L;
  private boolean queued;
  private boolean heldBack;
  private boolean closed;
  private int attempts;

  /**
   * Makes a client that does nothing yet.
   *
   * @param bytes what it has to say
   * @param flight what that is, for the trace and for whoever made it
   */
  public Client(World world, int number, TcpListener listener, byte[] bytes, Object flight) {
    this.world = world;
    this.number = number;
    this.listener = listener;
    this.bytes = bytes;
    this.flight = flight;
  }

  byte[] bytes() {
    return bytes;
  }

  /** How many bytes it has to say. */
  public int length() {
    return bytes.length;
  }

  /** Gives it another address than 192.0.2.0, as 128 bits; IPv4 in its mapped form. */
  public void address(long high, long low) {
    addressHigh = high;
    addressLow = low;
  }

  /** The first 64 bits of its address. */
  public long addressHigh() {
    return addressHigh;
  }

  /** The last 64 bits of its address. */
  public long addressLow() {
    return addressLow;
  }

  /** What it was made with. */
  public Object flight() {
    return flight;
  }

  /** Its number, from 0; its port goes by it. */
  public int number() {
    return number;
  }

  /** What it sends lies in the proxy's queue as it was sent, as may be on one machine. */
  public void comesInPieces() {
    inPieces = true;
  }

  /**
   * Plans all it does.
   *
   * @param sends how many of its bytes it sends in the end
   * @param segmentBytes the most it sends at once
   * @param gapNanos the most between two segments
   */
  public void plan(long startNanos, int sends, int segmentBytes, long gapNanos, End end) {
    Chance chance = world.chance();
    world.after(startNanos, this, "connects, to send " + flight, this::connect);
    long at = startNanos + chance.below(gapNanos + 1);
    for (int sent = 0; sent < sends; ) {
      int segment = Math.min(sends - sent, 1 + chance.below(segmentBytes));
      world.after(at, this, "sends " + segment + " bytes", () -> send(segment));
      sent += segment;
      at += chance.below(gapNanos + 1);
    }
    switch (end) {
      case FIN -> world.after(at, this, "ends its side", this::fin);
      case RESET -> world.after(at, this, "breaks off", this::reset);
      case SILENCE -> {}
    }
  }

  /** Plans that clients come at the same moment, each with all it has to say, and fall silent. */
  public static void planBurst(World world, long nanos, List<Client> clients) {
    world.after(
        nanos,
        "clients",
        clients.size() + " come at once",
        () ->
            clients.forEach(client -> {
              client.connect();
              client.send(client.length());
            }));
  }

  /** Connects, or tries to. */
  public void connect() {
    if (!listener.isListening()) {
      return;
    }
    if (listener.isFull() || listener.isFiltered()) {
      if (++attempts < MAX_ATTEMPTS) {
        world.after(SYN_AGAIN_NANOS, this, "connects again", this::connect);
      }
      return;
    }
    TcpConnection made = new TcpConnection(this);
    connection = made;
    if (inPieces) {
      made.keepInPieces();
    }
    if (listener.isDeferring()) {
      heldBack = true;
      listener.holdBack(1);
      world.after(DEFERRED_NANOS, this, "is no longer held back", this::enqueue);
    } else {
      enqueue();
    }
  }

  private void enqueue() {
    TcpConnection made = connection;
    heldBackNoMore();
    if (made != null && !queued && !made.isReset() && listener.isListening()) {
      queued = true;
      listener.enqueue(made);
    }
  }

  private void heldBackNoMore() {
    if (heldBack) {
      heldBack = false;
      listener.holdBack(-1);
    }
  }

  /** Sends its next bytes. */
  public void send(int count) {
    TcpConnection to = connection;
    if (to != null && !closed && !to.isReset() && !to.isFinReceived()) {
      to.deliver(count);
      enqueue();
    }
  }

  /** Ends its side. */
  public void fin() {
    TcpConnection to = connection;
    if (to != null && !closed && !to.isReset()) {
      to.deliverFin();
      enqueue();
    }
  }

  /** Breaks the connection off. */
  public void reset() {
    TcpConnection to = connection;
    if (to != null && !closed && !to.isReset()) {
      heldBackNoMore();
      to.deliverReset();
    }
  }

  /** Whether anything was sent to it. */
  public boolean isAnswered() {
    TcpConnection to = connection;
    return to != null && to.bytesSent() > 0;
  }

  void onClosed() {
    closed = true;
  }

  @Override
  public String toString() {
    return "client " + number;
  }
}
