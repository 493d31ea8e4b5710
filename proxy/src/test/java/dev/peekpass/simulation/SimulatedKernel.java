package dev.peekpass.simulation;

import dev.peekpass.linux.EpollEvents;
import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.Message;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.linux.PeerCredentials;
import dev.peekpass.linux.SharedWords;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.linux.SocketFilter;
import dev.peekpass.linux.TcpInfo;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The kernel as one process sees it, with the descriptors of that process.
 *
 * <p>Between any two calls, and so in the middle of everything, the world may go on a little. Calls
 * behave as Linux does, and fail as their man pages allow when {@link Faults} say so. What the
 * kernel would let pass but no correct caller does is a {@link Violation}: a descriptor that is not
 * open, one that is passed or closed while epoll watches it, a message without MSG_NOSIGNAL.
 */
public final class SimulatedKernel implements Kernel {

  /** How the process runs, beside what it calls. All chances are times in ten thousand. */
  public static final class Conditions {
    /** How many descriptors the process may have open (RLIMIT_NOFILE). */
    public int maxDescriptors = 1024;

    /** Whether the lowest free number is used again, as Linux does, or each only once. */
    public boolean reuseNumbers = true;

    /** How often something happens outside between two calls. */
    public int races;

    /** How often the other end of a call's connection or socket dies just before the call. */
    public int deaths;

    /** How often a peek sees less than what is there, the rest arriving a moment later. */
    public int shortReads;

    /** How often the process stands still between a wait and what follows from it. */
    public int pauses;

    /** How long it stands still at most. */
    public long pauseNanos = 1;

    /**
     * Whether all that is due has happened when the process looks, or one thing after the other.
     */
    public boolean allAtOnce;
  }

  /** How many descriptors a proxy leaves to others at most, so that it may call them short. */
  private static final int MOST_LEFT = 32;

  private static final int FIRST_NUMBER = 3;
  private static final int MAX_CALLS_A_TURN = 50_000;
  private static final long RACE_NANOS = 20_000_000;
  private static final int MAX_RACES = 5_000;
  private static final int MAX_WAIT_COST_NANOS = 40_000;
  private static final long MAX_INTERRUPT_NANOS = 5_000_000;
  private static final long ANNOUNCE_NANOS = 100_000;

  /** What a message takes of the kernel's memory. */
  private static final int UNIX_MESSAGE_BYTES = 768;

  private static final long NANOS_A_MILLI = 1_000_000;
  private static final int EPHEMERAL_PORT = 40_000;
  private static final long V4_MAPPED = 0xffff_0000_0000L;

  private final World world;
  private final UnixPaths paths;
  private final Faults faults;
  private final Conditions conditions;
  private final List<@Nullable OpenFile> files = new ArrayList<>();
  private @Nullable Observer observer;
  private Runnable peerOfPath = () -> {};
  private boolean outside;
  private int open;
  private int aside;
  private int mapped;
  private int failedHellos;
  private int calls;
  private int nextPort = EPHEMERAL_PORT;

  /** Makes a process without descriptors. */
  public SimulatedKernel(World world, UnixPaths paths, Faults faults, Conditions conditions) {
    this.world = world;
    this.paths = paths;
    this.faults = faults;
    this.conditions = conditions;
    for (int i = 0; i < FIRST_NUMBER; i++) {
      files.add(null);
    }
  }

  /** Sets who watches. */
  public void observe(Observer by) {
    observer = by;
  }

  /** Sets how one of the processes at the other end dies. */
  public void onDeath(Runnable death) {
    peerOfPath = death;
  }

  /** How many descriptors are open. */
  public int openDescriptors() {
    return open;
  }

  /** How many pages of memory are mapped. */
  public int mappedPages() {
    return mapped;
  }

  /** How often a fault kept the process from saying hello to a receiver. */
  public int failedHellos() {
    return failedHellos;
  }

  /** What is still open, for a message. */
  public String openFiles() {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < files.size(); i++) {
      OpenFile file = files.get(i);
      if (file != null) {
        text.append(" fd ").append(i).append(" (").append(file).append(')');
      }
    }
    return text.toString();
  }

  /** The listener that a descriptor stands for. */
  public TcpListener listener(Fd fd) {
    return as(TcpListener.class, fd);
  }

  // What every call begins and ends with.

  private void enter(Call call, @Nullable OpenFile file) {
    if (outside) {
      return;
    }
    if (++calls > MAX_CALLS_A_TURN) {
      throw new Violation("a turn makes more than " + MAX_CALLS_A_TURN + " calls");
    }
    if (file instanceof TcpConnection shared && shared.isBound() && call.locks()) {
      throw new Violation(
          call
              + " would wait for whoever holds the lock of the "
              + shared
              + ", who is not trusted");
    }
    Observer by = observer;
    if (by != null) {
      by.onCall(call, file instanceof TcpConnection connection ? connection : null);
    }
    Chance chance = world.chance();
    if (call != Call.SENDMSG) {
      mayThrow(call, false, file, concerned(file));
    }
    // Counts are asked seldom, and what comes between two of them matters.
    int races = conditions.races;
    if (chance.hits(call == Call.COUNTS ? Math.min(10 * races, MAX_RACES) : races)) {
      world.runEarly(RACE_NANOS);
    }
    if (chance.hits(conditions.deaths)) {
      if (file instanceof TcpConnection connection) {
        world.note("in the middle of it: " + connection.client() + " breaks off");
        connection.client().reset();
      } else if (file instanceof UnixSocket) {
        peerOfPath.run();
      }
    }
  }

  /** The connections that a call is about: those that were just sent as well. */
  private static List<TcpConnection> concerned(@Nullable Object file) {
    return switch (file) {
      case TcpConnection connection -> List.of(connection);
      case UnixSocket channel -> channel.lastSent();
      case null, default -> List.of();
    };
  }

  /** Throws a fault out of a call, if there is to be one. */
  private void mayThrow(
      Call call, boolean after, @Nullable Object file, List<TcpConnection> concerned) {
    Observer by = observer;
    if (by == null || outside || Violation.isKnown()) {
      return;
    }
    Throwable fault = faults.nextThrown(call, after);
    if (fault == null) {
      return;
    }
    if (world.isTraced()) {
      world.note("  " + call.name().toLowerCase(java.util.Locale.ROOT) + " " + file + " throws");
      world.note("  " + fault.getMessage());
    }
    if (file instanceof UnixSocket channel) {
      channel.excuse();
    }
    boolean stillWatched = call == (after ? Call.EPOLL_ADD : Call.EPOLL_DEL);
    if (stillWatched && file instanceof OpenFile watched) {
      watched.excuseWatch();
    }
    by.onThrown(call, concerned, fault instanceof Error);
    if (fault instanceof Error error) {
      throw error;
    }
    throw (RuntimeException) fault;
  }

  /**
   * Lets whoever looks at received bytes fail: it stands for a fault in a parser, which is nowhere
   * else to be put.
   */
  private void mayPoison(Call call, OpenFile from, NativeBuffer buffer, int received) {
    Observer by = observer;
    if (received > 0 && by != null && faults.poisons()) {
      world.note("  the bytes are poisoned");
      buffer.bytes().limit(0);
      by.onThrown(call, concerned(from), false);
    }
  }

  /**
   * Has calls made by another thread of the process than the loop's, which neither counts to the
   * loop nor sees anything happen between them.
   */
  public void outside(Runnable calls) {
    boolean before = outside;
    outside = true;
    try {
      calls.run();
    } finally {
      outside = before;
    }
  }

  private int leave(Call call, @Nullable Object file, int result) {
    if (world.isTraced()) {
      String shown = result < 0 ? Errno.name(-result) : Integer.toString(result);
      world.note(
          "  " + call.name().toLowerCase(java.util.Locale.ROOT) + " " + file + " = " + shown);
    }
    Observer by = observer;
    if (by != null && !outside && isShortage(-result)) {
      by.onShortage(call);
    }
    if (call != Call.SENDMSG) {
      mayThrow(call, true, file, concerned(file));
    }
    return result;
  }

  private static boolean isShortage(int errno) {
    return switch (errno) {
      case Errno.EMFILE, Errno.ENFILE, Errno.ENOMEM, Errno.ENOBUFS, Errno.ENOSPC -> true;
      default -> false;
    };
  }

  private OpenFile file(Fd fd) {
    OpenFile file = fd.number() < files.size() ? files.get(fd.number()) : null;
    if (file == null) {
      throw new Violation(fd + " is used and is not open");
    }
    return file;
  }

  private <T extends OpenFile> T as(Class<T> type, Fd fd) {
    OpenFile file = file(fd);
    if (!type.isInstance(file)) {
      throw new Violation(fd + " is " + file + " and is used as a " + type.getSimpleName());
    }
    return type.cast(file);
  }

  /** Gives a description a number, or returns -EMFILE. */
  private int install(OpenFile file) {
    if (open >= conditions.maxDescriptors) {
      return -Errno.EMFILE;
    }
    int number = files.size();
    if (conditions.reuseNumbers) {
      for (int i = FIRST_NUMBER; i < files.size() && number == files.size(); i++) {
        if (files.get(i) == null) {
          number = i;
        }
      }
    }
    if (number == files.size()) {
      files.add(file);
    } else {
      files.set(number, file);
    }
    file.retain();
    open++;
    return number;
  }

  private int create(Call call, OpenFile file) {
    enter(call, null);
    int fault = faults.next(call);
    return leave(call, file, fault != 0 ? -fault : install(file));
  }

  // socket(2) and what makes a listener.

  @Override
  public int socket(int domain, int type, int protocol) {
    if ((type & Linux.SOCK_NONBLOCK) == 0 || (type & Linux.SOCK_CLOEXEC) == 0) {
      throw new Violation("socket without SOCK_NONBLOCK or without SOCK_CLOEXEC");
    }
    boolean unix = domain == Linux.AF_UNIX;
    return create(Call.SOCKET, unix ? new UnixSocket(type & 0xf) : new TcpListener());
  }

  @Override
  public int bind(Fd socket, SockAddr address) {
    TcpListener listener = as(TcpListener.class, socket);
    enter(Call.BIND, listener);
    int fault = faults.next(Call.BIND);
    if (fault == 0) {
      listener.bind(address.port() == 0 ? nextPort++ : address.port());
    }
    return leave(Call.BIND, listener, -fault);
  }

  @Override
  public int listen(Fd socket, int backlog) {
    TcpListener listener = as(TcpListener.class, socket);
    enter(Call.LISTEN, listener);
    int fault = faults.next(Call.LISTEN);
    if (fault == 0) {
      listener.listen(backlog);
    }
    return leave(Call.LISTEN, listener, -fault);
  }

  @Override
  public int setsockopt(Fd socket, int level, int option, int value) {
    OpenFile file = file(socket);
    enter(Call.OPTION, file);
    if (level == Linux.SOL_SOCKET && option == Linux.SO_DETACH_FILTER) {
      return leave(Call.OPTION, file, detachFilter(file));
    }
    int fault = faults.next(Call.OPTION);
    boolean defer = level == Linux.IPPROTO_TCP && option == Linux.TCP_DEFER_ACCEPT;
    if (fault == 0 && defer && file instanceof TcpListener listener) {
      listener.defer(value > 0);
    }
    boolean rights = level == Linux.SOL_SOCKET && option == Linux.SO_PASSRIGHTS && value == 0;
    if (fault == 0 && rights && file instanceof UnixSocket sender) {
      sender.barDescriptors();
    }
    return leave(Call.OPTION, file, -fault);
  }

  private static int detachFilter(OpenFile file) {
    boolean had =
        file instanceof TcpListener listener
            ? listener.filter(false, 0)
            : file instanceof TcpConnection connection && connection.detachFilter();
    return had ? 0 : -Errno.ENOENT;
  }

  @Override
  public int attachFilter(Fd socket, SocketFilter filter) {
    TcpListener listener = as(TcpListener.class, socket);
    enter(Call.OPTION, listener);
    int fault = faults.next(Call.OPTION);
    if (fault == 0) {
      listener.filter(true, world.nowNanos());
    }
    return leave(Call.OPTION, listener, -fault);
  }

  @Override
  public int getsockname(Fd socket, SockAddr address) {
    TcpListener listener = as(TcpListener.class, socket);
    enter(Call.OPTION, listener);
    int fault = faults.next(Call.OPTION);
    if (fault == 0) {
      address.inet(0, V4_MAPPED | 0x7f000001, listener.port());
    }
    return leave(Call.OPTION, listener, -fault);
  }

  // Connections of clients.

  @Override
  public int acceptQueue(Fd listener, TcpInfo info) {
    TcpListener from = as(TcpListener.class, listener);
    enter(Call.ACCEPT_QUEUE, from);
    info.unacked(from.announce());
    return leave(Call.ACCEPT_QUEUE, from, 0);
  }

  @Override
  public int accept4(Fd listener, @Nullable SockAddr peer, int flags) {
    TcpListener from = as(TcpListener.class, listener);
    enter(Call.ACCEPT, from);
    if ((flags & Linux.SOCK_NONBLOCK) == 0 || (flags & Linux.SOCK_CLOEXEC) == 0) {
      throw new Violation("accept4 without SOCK_NONBLOCK or without SOCK_CLOEXEC");
    }
    int fault = faults.next(Call.ACCEPT);
    // A client that is gone, or whose network failed, leaves the queue with its error.
    boolean takesOne = fault == Errno.ECONNABORTED || fault == Errno.EPROTO;
    if (fault == 0 && open >= conditions.maxDescriptors) {
      fault = Errno.EMFILE;
    }
    if (isShortage(fault) || fault == Errno.EPERM || fault == Errno.EINVAL) {
      from.excuse();
    }
    if (fault != 0 && !takesOne) {
      return leave(Call.ACCEPT, from, -fault);
    }
    TcpConnection connection = from.next();
    if (connection == null) {
      return leave(Call.ACCEPT, from, -Errno.EAGAIN);
    }
    if (fault != 0) {
      connection.client().onClosed();
      return leave(Call.ACCEPT, from, -fault);
    }
    int number = install(connection);
    if (peer != null) {
      Client client = connection.client();
      peer.inet(client.addressHigh(), client.addressLow(), 1024 + client.number());
    }
    Observer by = observer;
    if (by != null) {
      by.onAccepted(from, connection);
    }
    return leave(Call.ACCEPT, connection, number);
  }

  @Override
  public int recv(Fd socket, NativeBuffer buffer, int offset, int length, int flags) {
    if (file(socket) instanceof UnixSocket channel) {
      return recv(channel, buffer, length, flags);
    }
    TcpConnection from = as(TcpConnection.class, socket);
    enter(Call.RECV, from);
    int fault = faults.next(Call.RECV);
    if (fault != 0) {
      return leave(Call.RECV, from, -fault);
    }
    if ((flags & Linux.MSG_PEEK) == 0) {
      from.answer();
    }
    boolean peek = (flags & Linux.MSG_PEEK) != 0;
    int most = length;
    if (world.chance().hits(conditions.shortReads)) {
      most = 1 + world.chance().below(length);
      world.after(ANNOUNCE_NANOS, from, "the rest arrives", () -> from.wake(Linux.EPOLLIN));
    }
    byte[] bytes = new byte[Math.min(most, from.delivered())];
    int n = from.receive(bytes, most, peek);
    buffer.bytes().clear();
    if (n > 0 && (flags & Linux.MSG_TRUNC) == 0) {
      buffer.bytes().put(offset, bytes, 0, n);
    }
    leave(Call.RECV, from, n);
    if (peek) {
      from.peeked();
      mayPoison(Call.RECV, from, buffer, n);
    }
    return n;
  }

  private int recv(UnixSocket from, NativeBuffer buffer, int length, int flags) {
    enter(Call.RECV, from);
    if ((flags & Linux.MSG_DONTWAIT) == 0) {
      throw new Violation("a channel is read without MSG_DONTWAIT");
    }
    int fault = faults.next(Call.RECV);
    if (fault != 0) {
      return leave(Call.RECV, from, -fault);
    }
    byte[] bytes = new byte[length];
    int n = from.receive(bytes);
    buffer.bytes().clear();
    if (n > 0) {
      buffer.bytes().put(0, bytes, 0, n);
    }
    leave(Call.RECV, from, n);
    mayPoison(Call.RECV, from, buffer, n);
    return n;
  }

  @Override
  public int send(Fd socket, NativeBuffer buffer, int offset, int length, int flags) {
    TcpConnection to = as(TcpConnection.class, socket);
    enter(Call.SEND, to);
    requireNoSignal(flags);
    to.answer();
    int fault = faults.next(Call.SEND);
    if (fault != 0) {
      return leave(Call.SEND, to, -fault);
    }
    boolean partly = length > 0 && world.chance().hits(conditions.shortReads);
    return leave(Call.SEND, to, to.send(partly ? 1 + world.chance().below(length) : length));
  }

  /** No loop writes to a file: that is for threads that may wait. */
  @Override
  public int write(Fd descriptor, NativeBuffer buffer, int offset, int length) {
    throw new AssertionError("write(2) of " + descriptor);
  }

  @Override
  public int shutdown(Fd socket, int how) {
    TcpConnection connection = as(TcpConnection.class, socket);
    enter(Call.SHUTDOWN, connection);
    if (how != Linux.SHUT_WR) {
      throw new Violation("shutdown of more than the sending side");
    }
    connection.answer();
    int fault = faults.next(Call.SHUTDOWN);
    return leave(Call.SHUTDOWN, connection, fault != 0 ? -fault : connection.shutDownWriting());
  }

  // Hand-off.

  @Override
  public int connect(Fd socket, SockAddr address) {
    UnixSocket sender = as(UnixSocket.class, socket);
    enter(Call.CONNECT, sender);
    int fault = faults.next(Call.CONNECT);
    String path = address.toString().substring("unix:".length());
    if (!sender.isBarred()) {
      throw new Violation(sender + " is connected, and receivers may send descriptors over it");
    }
    sender.to(path);
    return leave(Call.CONNECT, path, fault != 0 ? -fault : paths.connect(path, sender));
  }

  @Override
  public int sendmsg(Fd socket, Message message, int flags) {
    UnixSocket sender = as(UnixSocket.class, socket);
    enter(Call.SENDMSG, sender);
    requireNoSignal(flags);
    boolean plain = sender.type() != Linux.SOCK_SEQPACKET;
    if (plain && message.sendLength() != 1) {
      throw new Violation("a message of " + message.sendLength() + " bytes");
    }
    byte[] bytes = new byte[message.sendLength()];
    message.payload().get(0, bytes);
    List<TcpConnection> connections = new ArrayList<>(message.descriptorCount());
    Memory page = null;
    for (int i = 0; i < message.descriptorCount(); i++) {
      Fd passed = message.descriptor(i);
      if (!plain && file(passed) instanceof Memory memory) {
        page = memory;
        continue;
      }
      TcpConnection connection = as(TcpConnection.class, passed);
      if (connection.isWatchedAs(passed.number())) {
        throw new Violation("the " + connection + " is passed while epoll watches it");
      }
      connections.add(connection);
    }
    mayThrow(Call.SENDMSG, false, sender, connections);
    int fault = faults.next(Call.SENDMSG);
    if (fault != 0) {
      if (!plain && connections.isEmpty() && fault != Errno.EINTR) {
        failedHellos++;
      }
      return leave(Call.SENDMSG, sender, -fault);
    }
    int r = sender.send(new Parcel(ByteBuffer.wrap(bytes), connections, page));
    Observer by = observer;
    if (r == 0 && by != null) {
      connections.forEach(plain ? by::onPassed : by::onOffered);
    }
    leave(
        Call.SENDMSG,
        world.isTraced() ? sender + " " + connections : sender,
        r < 0 ? r : bytes.length);
    mayThrow(Call.SENDMSG, true, sender, connections);
    return r < 0 ? r : bytes.length;
  }

  private static void requireNoSignal(int flags) {
    if ((flags & Linux.MSG_NOSIGNAL) == 0 || (flags & Linux.MSG_DONTWAIT) == 0) {
      throw new Violation("a send without MSG_NOSIGNAL or without MSG_DONTWAIT");
    }
  }

  @Override
  public int close(Fd descriptor) {
    OpenFile file = file(descriptor);
    enter(Call.CLOSE, file);
    if (file.isWatchedAs(descriptor.number()) && !file.isWatchExcused()) {
      throw new Violation("the " + file + " is closed while epoll watches it");
    }
    Observer by = observer;
    if (by != null && file instanceof TcpConnection connection) {
      by.onClosing(connection);
    }
    files.set(descriptor.number(), null);
    open--;
    boolean last = file.references() == 1;
    if (last && !outside && file instanceof TcpConnection connection && connection.lingers()) {
      throw new Violation("the loop waits in close(2) of the " + connection);
    }
    if (!last && file instanceof TcpListener listener && listener.isLeftFiltered()) {
      throw new Violation(
          file + " is left to another process with a filter that drops its clients");
    }
    int lost =
        last && !faults.hasErred() && file instanceof TcpListener listener
            ? listener.wouldLose(world.nowNanos())
            : 0;
    file.drop();
    if (lost > 0) {
      throw new Violation(file + " is closed while " + lost + " connections wait in it");
    }
    return leave(Call.CLOSE, file, -faults.next(Call.CLOSE));
  }

  /**
   * Leaves a descriptor to another thread of the process, which closes it some time later.
   *
   * @param mostNanos how much later at most
   */
  public void closeAside(Fd descriptor, long mostNanos) {
    OpenFile file = file(descriptor);
    if (file.isWatchedAs(descriptor.number()) && !file.isWatchExcused()) {
      throw new Violation("the " + file + " is left to be closed while epoll watches it");
    }
    Observer by = observer;
    if (by != null && file instanceof TcpConnection connection) {
      by.onCall(Call.CLOSE, connection);
      by.onClosing(connection);
    }
    files.set(descriptor.number(), new BeingClosed());
    aside++;
    world.after(
        world.chance().below(mostNanos + 1),
        "closer",
        "closes the " + file,
        () -> {
          files.set(descriptor.number(), null);
          open--;
          aside--;
          file.drop();
        });
  }

  /** Lets the threads that close finish. */
  public void finishAside() {
    while (aside > 0 && world.runNext(World.NEVER)) {
      // The next one.
    }
  }

  @Override
  public int siocoutq(Fd socket) {
    UnixSocket sender = as(UnixSocket.class, socket);
    enter(Call.OPTION, sender);
    return leave(Call.OPTION, sender, sender.unreceived() * UNIX_MESSAGE_BYTES);
  }

  // Waiting.

  @Override
  public int epollCreate1(int flags) {
    return create(Call.EPOLL_CREATE, new Epoll());
  }

  @Override
  public int epollCtl(Fd epoll, int operation, Fd descriptor, int events, long data) {
    Epoll by = as(Epoll.class, epoll);
    OpenFile file = file(descriptor);
    Call call =
        switch (operation) {
          case Linux.EPOLL_CTL_ADD -> Call.EPOLL_ADD;
          case Linux.EPOLL_CTL_MOD -> Call.EPOLL_MOD;
          default -> Call.EPOLL_DEL;
        };
    enter(call, file);
    int fault = faults.next(call);
    if (fault != 0) {
      if (file instanceof UnixSocket sender) {
        sender.excuse();
      }
      return leave(call, file, -fault);
    }
    int number = descriptor.number();
    return leave(
        call,
        file,
        switch (call) {
          case EPOLL_ADD -> by.add(file, number, events, data);
          case EPOLL_MOD -> by.modify(file, number, events, data);
          default -> by.delete(file, number);
        });
  }

  @Override
  public int epollWait(Fd epoll, EpollEvents events, int timeoutMillis) {
    Epoll by = as(Epoll.class, epoll);
    enter(Call.EPOLL_WAIT, by);
    if (by.isWatched()) {
      // One in another, looked at in the middle of a turn.
      int fault = faults.next(Call.EPOLL_WAIT);
      return leave(Call.EPOLL_WAIT, by, fault != 0 ? -fault : by.fetch(events));
    }
    calls = 0;
    Observer watching = observer;
    if (watching != null) {
      for (OpenFile file : files) {
        if (file instanceof UnixSocket sender && sender.isForgotten()) {
          watching.onMissedRoom(sender.path());
        }
      }
      watching.onWait(timeoutMillis);
    }
    int n = await(by, events, timeoutMillis);
    world.advance(world.chance().below(MAX_WAIT_COST_NANOS));
    if (watching != null) {
      watching.onFetched();
    }
    if (world.chance().hits(conditions.pauses)) {
      world.note("the process stands still");
      world.pass(world.chance().below(conditions.pauseNanos));
    }
    return leave(Call.EPOLL_WAIT, by, n);
  }

  private int await(Epoll by, EpollEvents events, int timeoutMillis) {
    while (conditions.allAtOnce && world.runNext(world.nowNanos())) {
      // The next one.
    }
    int n = by.fetch(events);
    if (n > 0 || timeoutMillis == 0) {
      return n;
    }
    long deadline =
        timeoutMillis < 0 ? World.NEVER : world.nowNanos() + timeoutMillis * NANOS_A_MILLI;
    int fault = faults.next(Call.EPOLL_WAIT);
    long interrupt =
        fault == 0 ? World.NEVER : world.nowNanos() + world.chance().below(MAX_INTERRUPT_NANOS);
    long until = Math.min(deadline, interrupt);
    while (n == 0) {
      if (!world.runNext(until)) {
        if (until == World.NEVER) {
          throw new Violation("the process waits for ever");
        }
        world.advance(until - world.nowNanos());
        return interrupt < deadline ? -fault : 0;
      }
      n = by.fetch(events);
    }
    return n;
  }

  @Override
  public int eventfd(int initialValue, int flags) {
    int r = create(Call.EVENTFD, new EventFd());
    Observer by = observer;
    if (by != null && conditions.reuseNumbers && r >= getrlimit(Linux.RLIMIT_NOFILE) - MOST_LEFT) {
      // Whoever asks for a number learns that few are left.
      by.onShortage(Call.EVENTFD);
    }
    return r;
  }

  @Override
  public int eventfdRead(Fd eventfd) {
    EventFd from = as(EventFd.class, eventfd);
    enter(Call.EVENTFD_READ, from);
    int fault = faults.next(Call.EVENTFD_READ);
    return leave(Call.EVENTFD_READ, from, fault != 0 ? -fault : from.read());
  }

  /** Comes from another thread, so it is no call of the process's loop. */
  @Override
  public int eventfdWrite(Fd eventfd, long value) {
    as(EventFd.class, eventfd).write(value);
    return 0;
  }

  @Override
  public long nanoTime() {
    return world.nowNanos();
  }

  // What the acknowledged hand-off needs beside.

  @Override
  public int tcpInfo(Fd connection, TcpInfo info) {
    TcpConnection of = as(TcpConnection.class, connection);
    enter(Call.COUNTS, of);
    info.connection(of.state(), of.bytesReceived(), of.bytesSent());
    info.dataSegmentsReceived(of.segments());
    return leave(Call.COUNTS, of, 0);
  }

  @Override
  public int siocinq(Fd socket) {
    TcpConnection of = as(TcpConnection.class, socket);
    enter(Call.COUNTS, of);
    return leave(Call.COUNTS, of, of.unread());
  }

  @Override
  public int fcntl(Fd descriptor, int command, int argument) {
    OpenFile file = file(descriptor);
    enter(Call.FCNTL, file);
    int r;
    if (command == Linux.F_SETFL && file instanceof TcpConnection connection) {
      connection.setBlocking((argument & Linux.O_NONBLOCK) == 0);
      r = 0;
    } else if (command == Linux.F_DUPFD_CLOEXEC && file instanceof TcpListener) {
      // Throws nothing after its effect, as whatever makes a descriptor.
      return install(file);
    } else if (command == Linux.F_ADD_SEALS && file instanceof Memory memory) {
      r = memory.seal(argument);
    } else {
      throw notSimulated("fcntl " + command + " of " + file);
    }
    return leave(Call.FCNTL, file, r);
  }

  @Override
  public int setLinger(Fd socket, boolean on, int seconds) {
    OpenFile file = file(socket);
    enter(Call.OPTION, file);
    return leave(Call.OPTION, file, -faults.next(Call.OPTION));
  }

  @Override
  public int renameat2(String from, String to, int flags) {
    throw new Violation("a loop renames no files");
  }

  @Override
  public int memfdCreate(int flags) {
    if ((flags & Linux.MFD_CLOEXEC) == 0) {
      throw new Violation("memfd_create without MFD_CLOEXEC");
    }
    return create(Call.MEMFD, new Memory());
  }

  @Override
  public int ftruncate(Fd file, int lengthBytes) {
    Memory memory = as(Memory.class, file);
    enter(Call.TRUNCATE, memory);
    int fault = faults.next(Call.TRUNCATE);
    return leave(Call.TRUNCATE, memory, fault != 0 ? -fault : memory.truncate(lengthBytes));
  }

  @Override
  public int mmap(Fd file, SharedWords words) {
    Memory memory = as(Memory.class, file);
    enter(Call.MMAP, memory);
    int fault = faults.next(Call.MMAP);
    if (fault == 0) {
      memory.map(words);
      mapped++;
    }
    return leave(Call.MMAP, memory, -fault);
  }

  @Override
  public int munmap(SharedWords words) {
    enter(Call.MUNMAP, null);
    if (words.unmap() == 0) {
      throw new Violation("a page is unmapped that is not mapped");
    }
    mapped--;
    return leave(Call.MUNMAP, "page", 0);
  }

  // What nothing under test calls so far.

  @Override
  public int getpeername(Fd socket, SockAddr address) {
    throw notSimulated("getpeername");
  }

  @Override
  public int getsockopt(Fd socket, int level, int option) {
    if (level == Linux.SOL_SOCKET && option == Linux.SO_MEMINFO) {
      TcpConnection of = as(TcpConnection.class, socket);
      enter(Call.COUNTS, of);
      return leave(Call.COUNTS, of, of.queueMemory());
    }
    if (level != Linux.SOL_SOCKET || option != Linux.SO_ERROR) {
      throw notSimulated("getsockopt " + option);
    }
    UnixSocket sender = as(UnixSocket.class, socket);
    enter(Call.OPTION, sender);
    boolean failed = (sender.poll() & Linux.EPOLLERR) != 0;
    return leave(Call.OPTION, sender, failed ? Errno.ECONNRESET : 0);
  }

  @Override
  public int peerUid(Fd socket) {
    return as(UnixSocket.class, socket).peerUid();
  }

  @Override
  public int getLinger(Fd socket) {
    TcpConnection of = as(TcpConnection.class, socket);
    enter(Call.OPTION, of);
    return leave(Call.OPTION, of, of.lingers() ? 1 : 0);
  }

  @Override
  public int closeRange(Fd first, Fd last) {
    throw notSimulated("close_range");
  }

  @Override
  public int gettid() {
    return 1;
  }

  @Override
  public int getpid() {
    return 1;
  }

  @Override
  public int tgkill(int process, int thread, int signal) {
    throw notSimulated("tgkill");
  }

  @Override
  public int catchSignal(int signal) {
    throw notSimulated("signal");
  }

  @Override
  public int unblockSignal(int signal) {
    return 0;
  }

  @Override
  public int peerCredentials(Fd socket, @Nullable PeerCredentials[] credentials) {
    UnixSocket of = as(UnixSocket.class, socket);
    credentials[0] = new PeerCredentials(of.peerPid(), of.peerUid(), 0);
    return 0;
  }

  @Override
  public int recvmsg(Fd socket, Message message, int flags) {
    throw notSimulated("recvmsg");
  }

  @Override
  public int dup3(Fd descriptor, Fd number, int flags) {
    throw notSimulated("dup3");
  }

  @Override
  public int lseek(Fd file, int offset, int whence) {
    throw notSimulated("lseek");
  }

  @Override
  public int getrlimit(int resource) {
    // Numbers that are not used again tell nothing of how many there are.
    return conditions.reuseNumbers ? FIRST_NUMBER + conditions.maxDescriptors : Integer.MAX_VALUE;
  }

  @Override
  public int geteuid() {
    return 0;
  }

  @Override
  public int poll(Fd descriptor, int events, int timeoutMillis) {
    throw notSimulated("poll");
  }

  private static Violation notSimulated(String call) {
    return new Violation(call + " is not simulated: give SimulatedKernel a model of it");
  }
}
