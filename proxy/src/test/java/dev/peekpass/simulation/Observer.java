package dev.peekpass.simulation;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** Watches a process's calls and judges them. */
public interface Observer {

  /**
   * A call is about to be made.
   *
   * @param connection the connection it is about, or null
   */
  void onCall(Call call, @Nullable TcpConnection connection);

  /**
   * A fault is about to be thrown out of a call, or out of what the process does next with the
   * bytes that it has received.
   *
   * @param concerned the connections that the call is about, those of a message too
   * @param error whether it is an error, which ends the process
   */
  void onThrown(Call call, List<TcpConnection> concerned, boolean error);

  /** A connection has been accepted. */
  void onAccepted(TcpListener listener, TcpConnection connection);

  /** A connection is in the queue of an acknowledging receiver; it stays the process's as well. */
  void onOffered(TcpConnection connection);

  /** A connection is in the queue of a receiver that acknowledges nothing. */
  void onPassed(TcpConnection connection);

  /** A connection's descriptor in the process is being closed. */
  void onClosing(TcpConnection connection);

  /** A call failed for want of descriptors or memory. */
  void onShortage(Call call);

  /** The process is about to wait, and nothing will tell it that a way that was full has room. */
  void onMissedRoom(String path);

  /** The process is about to wait; a turn of it is over. */
  void onWait(int timeoutMillis);

  /** The wait is over, and the events that it returns are fetched. */
  void onFetched();
}
