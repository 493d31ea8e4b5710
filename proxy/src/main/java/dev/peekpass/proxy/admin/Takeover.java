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

  private static final int MAX_LINE_BYTES = 4096;
  private static final int MAX_SOCKETS = 100_000;

  /** How long a process may take to end, from its closing the connection. */
  private static final int END_MILLIS = 5000;

  /** How long it is tried to tell the old process that this one accepts. */
  private static final long TELL_MILLIS = 30_000;

  /** How long it is tried to tell the old process why this one ends. */
  private static final long REFUSE_MILLIS = 500;

  /** How long the old process is given to stop accepting; nothing depends on it. */
  private static final long LET_GO_MILLIS = 2000;

  private final Kernel kernel;
  private final AdminStream stream;
  private final PeerProcess old;

  /** Whether {@link #old} is the process that is talked to, and not one that listened before it. */
  private final boolean known;

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

  /** The old process does not know the version. */
  private static final class VersionException extends IOException {
    private static final long serialVersionUID = 1L;

    VersionException(String message) {
      super(message);
    }
  }

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
    } catch (VersionException e) {
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
      throw new IOException(
          "the running proxy (%s) does not answer within %s: it is stopped or hangs; nothing has changed: end it, or try again"
              .formatted(takeover.old, TakeoverTimes.text(times.young())),
          e);
    } catch (IOException | RuntimeException | Error e) {
      takeover.close();
      throw e;
    }
  }

  /**
   * A takeover on its way to another program in this process (execve(2)), in which it goes on.
   *
   * @param stream the connection to the old process
   * @param version of the conversation
   * @param deadlineNanos until when, by {@link Kernel#nanoTime}
   * @param sockets the listening sockets that have come
   * @param drained the names of drained backends
   * @param adminPath where the old process's admin socket is
   * @param admin that socket, if it came
   * @param ended whether the old process has ended
   * @param unread what has come and was not looked at
   */
  public record Carried(
      Fd stream,
      String version,
      long deadlineNanos,
      List<TransferredSocket> sockets,
      Set<String> drained,
      String adminPath,
      Optional<Fd> admin,
      boolean ended,
      String unread) {
    /** Copies the collections. */
    public Carried {
      sockets = List.copyOf(sockets);
      drained = Set.copyOf(drained);
    }

    /** All that is open for it. */
    public List<Fd> descriptors() {
      List<Fd> all = new ArrayList<>();
      all.add(stream);
      sockets.forEach(socket -> all.add(socket.fd()));
      admin.ifPresent(all::add);
      return all;
    }
  }

  /** What another program needs to go on; all of it stays this object's. */
  public Carried carry() {
    return new Carried(
        stream.socket(),
        version,
        stream.deadlineNanos(),
        sockets,
        drained,
        adminPath,
        admin,
        ended,
        stream.unread());
  }

  /**
   * Goes on with a takeover that another program has begun in this process.
   *
   * @param carried its descriptors are this object's from here on
   */
  public static Takeover resume(Kernel kernel, Carried carried, TakeoverTimes times) {
    AdminStream stream = new AdminStream(kernel, carried.stream(), true);
    stream.resume(carried.deadlineNanos(), carried.unread());
    Takeover takeover = new Takeover(kernel, stream, carried.version(), times);
    takeover.sockets.addAll(carried.sockets());
    takeover.drained.addAll(carried.drained());
    takeover.adminPath = carried.adminPath();
    takeover.admin = carried.admin();
    takeover.ended = carried.ended();
    return takeover;
  }

  /** As whom the old process runs, effectively; a negative number when that is not known. */
  public int oldUid() {
    return kernel.peerUid(stream.socket());
  }

  /** Tells the old process that this one ends, and why, so that its log can say it. */
  public void refuse(String why) {
    String line = TakeoverOffer.REFUSED + why.replaceAll("\\p{Cntrl}", " ");
    try {
      stream.within(REFUSE_MILLIS);
      stream.send(line.substring(0, Math.min(line.length(), TakeoverOffer.MAX_REFUSAL_CHARS)));
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
      int space = line.get().indexOf(' ');
      String word = space < 0 ? line.get() : line.get().substring(0, space);
      String rest = space < 0 ? "" : line.get().substring(space + 1);
      switch (word) {
        case "socket" -> {
          if (sockets.size() == MAX_SOCKETS) {
            throw new IOException("the running proxy offers over " + MAX_SOCKETS + " sockets");
          }
          sockets.add(new TransferredSocket(rest, descriptor()));
        }
        case "admin" -> {
          admin.ifPresent(kernel::close);
          admin = Optional.of(descriptor());
          adminPath = rest;
        }
        case "drained" -> drained.add(rest);
        case "end" -> {
          return;
        }
        default -> throw unexpected(line.get());
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
      Optional<String> line = stream.readLine(MAX_LINE_BYTES);
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
    throw new IOException(
        "the running proxy (%s) broke the takeover off without a word%s; it goes on: its log may say why"
            .formatted(old, broken == null ? "" : " (" + broken.getMessage() + ")"),
        broken);
  }

  private static IOException unexpected(String line) {
    if (line.startsWith(TakeoverOffer.OTHER_VERSION + TakeoverOffer.FIRST_VERSION + " ")) {
      return new VersionException("the running proxy is of an older version");
    }
    if (line.startsWith("error ")) {
      return new IOException("the running proxy refuses: " + line.substring("error ".length()));
    }
    String json = "{\"ok\":false,\"error\":\"";
    if (line.startsWith(json) && line.endsWith("\"}")) {
      // What it says to whom it does not talk with at all, whatever is asked.
      String why = line.substring(json.length(), line.length() - 2).replace("\\\"", "\"");
      return new IOException("the running proxy refuses, and goes on: " + why);
    }
    String said = line.length() > 40 ? line.substring(0, 40) + "…" : line;
    return new IOException(
        "the running proxy says something that is not in the protocol: \""
            + said.replaceAll("\\p{Cntrl}", "?")
            + "\"; it goes on: restart it instead");
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
      throw late(e);
    } catch (IOException e) {
      // It has given up, and said so before it closed; or it has ended.
      LOG.debug("takeover: {}", e.getMessage());
    }
    Optional<String> answer = awaitAnswer();
    if (answer.isEmpty()) {
      LOG.warn("the running proxy ({}) ended during the takeover: going on in its place", old);
    } else if (!answer.get().equals("taken")) {
      throw unexpected(answer.get());
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
      line = stream.readLine(MAX_LINE_BYTES);
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
    throw late(late);
  }

  private IOException late(AdminStream.LateException cause) {
    return new IOException(
        "the takeover took longer than %s, and this process ends; it has accepted nothing, and the running proxy (%s) goes on: try again, or end that one if it is stopped or hangs"
            .formatted(TakeoverTimes.text(times.young()), old),
        cause);
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
      var _ = stream.readLine(MAX_LINE_BYTES);
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
