package dev.peekpass.proxy.connection;

/** What a connection needs of where it was accepted. */
public interface Origin {
  /** The address it was accepted at, for logs. */
  String label();

  /** The same in ASCII, for receivers; nobody writes to it. */
  byte[] labelBytes();

  /**
   * The line of a route in the configuration, from 1.
   *
   * @param route what {@code RouteTable.find} said
   */
  int routeLine(int route);

  /** Where connections that come from here are logged. */
  AccessLog accessLog();

  /**
   * A connection's backend takes it not, now or at all: finds another for it, or turns it away.
   *
   * @param connection in a container; it is in another or has ended afterwards
   */
  void onNotTaken(Connection connection);

  /** Takes an ended connection back, for reuse. */
  void recycle(Connection connection);
}
