package dev.peekpass.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The {@code tcp_info} that getsockopt(2) with TCP_INFO fills (tcp(7)), reused from call to call.
 */
public final class TcpInfo {
  private static final long UNACKED = Layouts.offset(Layouts.TCP_INFO, "tcpi_unacked");
  private static final long RECEIVED = Layouts.offset(Layouts.TCP_INFO, "tcpi_bytes_received");
  private static final long SEGMENTS = Layouts.offset(Layouts.TCP_INFO, "tcpi_data_segs_in");
  private static final long SENT = Layouts.offset(Layouts.TCP_INFO, "tcpi_bytes_sent");

  private final MemorySegment memory =
      Arena.ofAuto().allocate(Layouts.TCP_INFO.byteSize() + Integer.BYTES, 8);

  /** Allocates the structure. */
  public TcpInfo() {}

  /** The connection's state, {@code TCP_…}. */
  public int state() {
    return memory.get(JAVA_BYTE, 0);
  }

  /** Segments not yet acknowledged; of a listener, how many connections wait to be accepted. */
  public int unacked() {
    return memory.get(JAVA_INT, UNACKED);
  }

  /** Payload bytes received, and one more once the peer's FIN has come. */
  public long bytesReceived() {
    return memory.get(JAVA_LONG, RECEIVED);
  }

  /** Segments with payload received, as an unsigned number; 0 before Linux 4.6. */
  public int dataSegmentsReceived() {
    return memory.get(JAVA_INT, SEGMENTS);
  }

  /** Payload bytes sent, retransmissions included. */
  public long bytesSent() {
    return memory.get(JAVA_LONG, SENT);
  }

  /** Whether the kernel has filled in {@link #bytesSent}, as it does from 4.19 on. */
  public boolean countsBytesSent() {
    return memory.get(JAVA_INT, Layouts.TCP_INFO.byteSize()) >= SENT + Long.BYTES;
  }

  /** Writes how many bytes the kernel has filled in: for kernels that are simulated. */
  public void filled(int bytes) {
    memory.set(JAVA_INT, Layouts.TCP_INFO.byteSize(), bytes);
  }

  /** Writes the one field that a listener's owner reads: for kernels that are simulated. */
  public void unacked(int connections) {
    memory.set(JAVA_INT, UNACKED, connections);
  }

  /** Writes how many segments have come: for kernels that are simulated. */
  public void dataSegmentsReceived(int segments) {
    memory.set(JAVA_INT, SEGMENTS, segments);
  }

  /** Writes what is read of a connection: for kernels that are simulated. */
  public void connection(int state, long bytesReceived, long bytesSent) {
    memory.set(JAVA_BYTE, 0, (byte) state);
    memory.set(JAVA_LONG, RECEIVED, bytesReceived);
    memory.set(JAVA_LONG, SENT, bytesSent);
    dataSegmentsReceived(0);
    filled((int) Layouts.TCP_INFO.byteSize());
  }

  long address() {
    return memory.address();
  }

  /** Where the length stands that getsockopt reads and writes. */
  long lengthAddress() {
    return memory.address() + Layouts.TCP_INFO.byteSize();
  }

  /** Asks for the fields up to tcpi_unacked, which is all that a listener's owner needs. */
  void prepareForListener() {
    memory.set(JAVA_INT, Layouts.TCP_INFO.byteSize(), (int) UNACKED + Integer.BYTES);
  }

  /** Asks for all fields. An older kernel fills fewer; the rest read as 0. */
  void prepare() {
    memory.fill((byte) 0);
    memory.set(JAVA_INT, Layouts.TCP_INFO.byteSize(), (int) Layouts.TCP_INFO.byteSize());
  }
}
