package dev.peekpass.proxy.admin;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.Inherited;
import dev.peekpass.proxy.TransferredSocket;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The new process's side of a takeover, see {@link TakeoverOffer}: {@link #begin}, {@link
 * #takeSockets} and {@link #takeAdminSocket}, {@link #awaitTaken}, {@link #accepting}.
 *
 * <p>It owns the descriptors that came until they are taken from it; {@link #close} ends the rest.
 * For one thread, but for {@link #cancel}.
 *
 * <p><b>Who serves</b> when the two lose each other: the old process, unless it has ended. A
 * process that has ended cannot go on, so that the new one then does, with what it has been given.
 */
public final class Takeover implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Takeover.class);

  private static final int MAX_SOCKETS = 100_000;

  /** How long a process may take to end, from its closing the connection. */
  private static final int END_MILLIS = 5000;

  /** How long it is tried to tell the old process that this one accepts. */
  private static final long TELL_MILLIS = 30_000;

  /** How long the old process is given to stop accepting, or to hear why this one ends. */
  private static final long LET_GO_MILLIS = 2000;

  private final Kernel kernel;
  private final AdminStream stream;
  private final PeerProcess old;

  /** Whether {@link #old} is the process that is talked to, and not one that listened before it. */
  private boolean known;

  private final String version;
  private final TakeoverTimes times;
  private final List<TransferredSocket> sockets = new ArrayList<>();
  private final Set<String> drained = new HashSet<>();
  private String adminPath = "";
  private int offered;
  private Optional<Fd> admin = Optional.empty();

  /** Whether the old process ended without having let go. */
  private boolean ended;

  private boolean cancelled;
  private boolean closed;

  private Takeover(Kernel kernel, AdminStream stream, String version, TakeoverTimes times) {
    this.kernel = kernel;
    this.stream = stream;
    this.version = version;
    this.times = times;
    old = PeerProcess.of(kernel, stream.socket());
    known = !old.hasEnded(0);
  }

  /**
   * Asks a running proxy for its sockets. It goes on accepting.
   *
   * @param path of its admin socket
   * @throws AdminClient.UnreachableException when no proxy could be asked
   * @throws IOException when it refused, or did not answer as it should; it goes on
   */
  public static Takeover begin(Kernel kernel, String path, TakeoverTimes times) throws IOException {
    try {
      return begin(kernel, path, TakeoverOffer.VERSION, times);
    } catch (TakeoverRefusal.VersionException e) {
      LOG.info("{}: taking over as that version does", e.getMessage());
      return begin(kernel, path, TakeoverOffer.FIRST_VERSION, times);
    }
  }

  private static Takeover begin(Kernel kernel, String path, String version, TakeoverTimes times)
      throws IOException {
    Takeover takeover =
        new Takeover(kernel, AdminClient.connect(kernel, path, true), version, times);
    try {
      LOG.info("taking over from {}", takeover.old);
      takeover.receive();
      return takeover;
    } catch (AdminStream.LateException e) {
      takeover.close();
      throw TakeoverRefusal.silent(times, takeover.old, e);
    } catch (IOException | RuntimeException | Error e) {
      takeover.close();
      throw e;
    }
  }

  /** What another program needs to go on; all of it stays this object's. */
  public CarriedTakeover carry() {
    return new CarriedTakeover(
        stream.socket(),
        version,
        stream.deadlineNanos(),
        sockets,
        drained,
        adminPath,
        admin,
        known,
        ended,
        stream.unread());
  }

  /**
   * Goes on with a takeover that another program has begun in this process.
   *
   * @param carried its descriptors are this object's from here on
   */
  public static Takeover resume(Kernel kernel, CarriedTakeover carried, TakeoverTimes times) {
    AdminStream stream = new AdminStream(kernel, carried.stream(), true);
    stream.resume(carried.deadlineNanos(), carried.unread());
    Takeover takeover = new Takeover(kernel, stream, carried.version(), times);
    takeover.sockets.addAll(carried.sockets());
    takeover.drained.addAll(carried.drained());
    takeover.adminPath = carried.adminPath();
    takeover.admin = carried.admin();
    takeover.known = carried.known();
    takeover.ended = carried.ended();
    return takeover;
  }

  /** As whom the old process runs, effectively; a negative number when that is not known. */
  public int oldUid() {
    return kernel.peerUid(stream.socket());
  }

  /** Tells the old process that this one ends, and why, so that its log can say it. */
  public void refuse(String why) {
    try {
      stream.within(LET_GO_MILLIS);
      stream.send(TakeoverRefusal.line(why));
    } catch (IOException e) {
      // It hears the end of the connection, then.
      LOG.debug("takeover: {}", e.getMessage());
    }
  }

  private void receive() throws IOException {
    stream.within(times.young().toMillis());
    try {
      stream.send("takeover " + version);
    } catch (AdminStream.LateException e) {
      throw e;
    } catch (IOException e) {
      // One that refuses at once says so and closes before it has read.
      LOG.debug("takeover: {}", e.getMessage());
    }
    while (true) {
      Optional<String> line = nextLine();
      if (line.isEmpty()) {
        LOG.warn(
            "the running proxy ({}) ended during the takeover: starting with {} of its sockets",
            old,
            sockets.size());
        return;
      }
      TakeoverLine said = TakeoverLine.ofOld(line.get());
      String rest = said.rest();
      switch (said.word()) {
        case SOCKET -> {
          TakeoverRefusal.unlessRoom(sockets, MAX_SOCKETS, "sockets");
          sockets.add(new TransferredSocket(rest, descriptor()));
        }
        case ADMIN -> {
          admin.ifPresent(kernel::close);
          admin = Optional.of(descriptor());
          adminPath = rest;
        }
        case DRAINED -> {
          TakeoverRefusal.unlessRoom(drained, MAX_SOCKETS, "drained backends");
          drained.add(rest);
        }
        case END -> {
          return;
        }
        case OTHER -> throw TakeoverRefusal.unexpected(line.get());
      }
    }
  }

  /**
   * What the old process says next; empty when it has ended.
   *
   * @throws IOException when it goes on but does not talk any more
   */
  private Optional<String> nextLine() throws IOException {
    @Nullable IOException broken = null;
    try {
      Optional<String> line = stream.readLine(LineBytes.OF_OLD);
      if (line.isPresent()) {
        return line;
      }
    } catch (AdminStream.LateException e) {
      throw e;
    } catch (SystemCallException e) {
      if (e.errno() != Errno.ECONNRESET && e.errno() != Errno.EPIPE) {
        throw e;
      }
      broken = e;
    } catch (IOException e) {
      broken = e;
    }
    if (isCancelled()) {
      throw new IOException("stopped by a signal before it served");
    }
    if (known && old.hasEnded(END_MILLIS)) {
      ended = true;
      return Optional.empty();
    }
    throw TakeoverRefusal.brokenOff(old, broken);
  }

  private Fd descriptor() throws IOException {
    return stream
        .takeDescriptor()
        .orElseThrow(
            () -> new IOException("the running proxy sent no descriptor; it goes on: restart it"));
  }

  /** The listening sockets and the names of drained backends; the sockets are the caller's. */
  public Inherited takeSockets() {
    offered = sockets.size();
    Inherited inherited = new Inherited(sockets, drained);
    sockets.clear();
    return inherited;
  }

  /**
   * The admin socket, if it is where it is wanted; then it is the caller's. Else it is closed.
   *
   * @param path where
   */
  public Optional<AdminSocket> takeAdminSocket(String path) throws IOException {
    if (admin.isPresent() && adminPath.equals(path) && !ended) {
      try {
        AdminSocket socket = AdminSocket.inherited(admin.get(), path);
        admin = Optional.empty();
        return Optional.of(socket);
      } catch (NoSuchFileException e) {
        LOG.warn("the running proxy's admin socket has lost its file: making another");
      }
    }
    // Else it would be found to be in use, when the running proxy has ended.
    admin.ifPresent(kernel::close);
    admin = Optional.empty();
    return Optional.empty();
  }

  /**
   * Tells the old process that this one can accept, and waits until it says that this one may.
   * Returns when this process is the one to accept, with the admin socket's file; else it must end.
   *
   * @param unwanted which of the sockets, by their place, this process does not listen on; larger
   *     numbers are others' sockets
   * @param adminTaken whether this process answers on the admin socket
   * @throws IOException when the old process goes on; the message says why and what to do
   */
  public void awaitTaken(Set<Integer> unwanted, boolean adminTaken) throws IOException {
    if (ended) {
      return;
    }
    try {
      sayReady(unwanted, adminTaken);
    } catch (AdminStream.LateException e) {
      throw TakeoverRefusal.late(times, old, e);
    } catch (IOException e) {
      // It has given up, and said so before it closed; or it has ended.
      LOG.debug("takeover: {}", e.getMessage());
    }
    Optional<String> answer = awaitAnswer();
    if (answer.isEmpty()) {
      LOG.warn("the running proxy ({}) ended during the takeover: going on in its place", old);
    } else if (!answer.get().equals("taken")) {
      throw TakeoverRefusal.unexpected(answer.get());
    }
  }

  private void sayReady(Set<Integer> unwanted, boolean adminTaken) throws IOException {
    for (int index : unwanted) {
      if (index < offered) {
        stream.send("unwanted " + index);
      }
    }
    stream.send(adminTaken ? "ready admin" : "ready");
  }

  private Optional<String> awaitAnswer() throws IOException {
    try {
      return nextLine();
    } catch (AdminStream.LateException e) {
      stream.refuseMore();
      return lastLook(e);
    }
  }

  /**
   * The time is up. Either the old process has said {@code taken} before {@link
   * AdminStream#refuseMore}, or it can say so no more and goes on.
   */
  private Optional<String> lastLook(AdminStream.LateException late) throws IOException {
    Optional<String> line;
    try {
      stream.within(END_MILLIS);
      line = stream.readLine(LineBytes.OF_OLD);
    } catch (IOException e) {
      late.addSuppressed(e);
      line = Optional.empty();
    }
    if (line.isPresent()) {
      return line;
    }
    if (isCancelled()) {
      throw new IOException("stopped by a signal before it served");
    }
    if (version.equals(TakeoverOffer.FIRST_VERSION)) {
      // It stops accepting as soon as it reads what it was sent, and asks nobody again.
      LOG.warn("the running proxy ({}) hangs: going on in its place", old);
      return Optional.of("taken");
    }
    throw TakeoverRefusal.late(times, old, late);
  }

  /**
   * Tells the old process that this one accepts, and waits a little until that one does not.
   *
   * @return false when that one could not be told, and goes on: then this one must end
   */
  public boolean accepting() {
    if (ended) {
      return true;
    }
    try {
      stream.within(TELL_MILLIS);
      stream.send("accepting");
    } catch (IOException e) {
      // In the first version it closes at once, having stopped before.
      LOG.debug("takeover: {}", e.getMessage());
      return version.equals(TakeoverOffer.FIRST_VERSION) || (known && old.hasEnded(END_MILLIS));
    }
    try {
      stream.within(LET_GO_MILLIS);
      var _ = stream.readLine(LineBytes.OF_OLD);
    } catch (IOException e) {
      LOG.debug("takeover: {}", e.getMessage());
    }
    return true;
  }

  /** Has what waits for the old process fail, in another thread: this process is to end. */
  public synchronized void cancel() {
    if (!closed) {
      cancelled = true;
      stream.refuseMore();
    }
  }

  private synchronized boolean isCancelled() {
    return cancelled;
  }

  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    sockets.forEach(socket -> kernel.close(socket.fd()));
    sockets.clear();
    admin.ifPresent(kernel::close);
    admin = Optional.empty();
    old.close();
    stream.close();
  }

  /** The old process, for messages. */
  @Override
  public String toString() {
    return Objects.toString(old);
  }
}
