package dev.peekpass.proxy.probe;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.proxy.advice.ReceiverAdvice;
import dev.peekpass.proxy.config.BackendConfig;
import dev.peekpass.proxy.config.Method;
import dev.peekpass.wire.FromReceiver;
import dev.peekpass.wire.HandOff;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Asks before the first client whether receivers are there and let this user in: connects to each
 * socket of each backend, hands nothing over, and looks whether it stays connected.
 *
 * <p>A receiver that acknowledges answers by itself. Of a stream only its end can be seen, and of a
 * datagram socket whether this user may write to it.
 */
public final class ReceiverCheck {
  /** What is wrong with one socket of a backend, in whole words. */
  public record Complaint(BackendConfig backend, String path, String problem, String remedy) {
    @Override
    public String toString() {
      return "backend " + backend.name() + ": unix:" + path + ": " + problem + ", " + remedy;
    }
  }

  /**
   * What was found out.
   *
   * @param complaints what is wrong
   * @param notes what could not be found out, each with what to do, in whole words
   */
  public record Answer(List<Complaint> complaints, List<String> notes) {
    /** Copies the lists. */
    public Answer {
      complaints = List.copyOf(complaints);
      notes = List.copyOf(notes);
    }
  }

  /** A socket that has been connected, and waits for an answer. */
  private record Waiting(BackendConfig backend, String path, Fd socket, int type) {}

  /** What wrong a socket does, and what to do. */
  private record Fault(String problem, String remedy) {}

  /** So many sockets are open at once at the most. */
  private static final int MOST_OPEN = 256;

  // docs/protocol.md: HELLO comes within a second.
  private static final long HELLO_NANOS = TimeUnit.SECONDS.toNanos(1);
  // A receiver that closes what it does not let in does so as soon as it runs.
  private static final long STREAM_NANOS = TimeUnit.MILLISECONDS.toNanos(300);
  // Room for any message of a receiver.
  private static final int MESSAGE_BYTES = 64;
  private static final int[] ALL_TYPES = {
    Linux.SOCK_SEQPACKET, Linux.SOCK_STREAM, Linux.SOCK_DGRAM
  };

  private final Kernel kernel;
  private static final int ROOT = 0;

  private final int ownUid;
  private final String user;
  private final NativeBuffer buffer = new NativeBuffer(MESSAGE_BYTES);
  private final FromReceiver message = new FromReceiver();
  private final List<Complaint> complaints = new ArrayList<>();
  private final List<String> notes = new ArrayList<>();
  private final List<Waiting> waiting = new ArrayList<>();

  /** Whether a socket could be connected to. */
  private boolean connected;

  private ReceiverCheck(Kernel kernel) {
    this.kernel = kernel;
    ownUid = kernel.geteuid();
    user = "uid " + Integer.toUnsignedString(ownUid);
  }

  /**
   * Asks all sockets of all backends, as the user that the calling thread is.
   *
   * <p>256 are asked at a time, and what says nothing takes their second, so that this takes a
   * second for each 256 sockets at the most. Before Linux 6.16 somebody who has a receiver's place
   * may send descriptors, and those are closed here, however long that takes.
   *
   * @return what is wrong, and what cannot be known
   */
  public static Answer ask(Kernel kernel, List<BackendConfig> backends) {
    return new ReceiverCheck(kernel).askAll(backends);
  }

  private Answer askAll(List<BackendConfig> backends) {
    try {
      for (BackendConfig backend : backends) {
        for (String path : backend.socketPaths()) {
          begin(backend, path);
          if (waiting.size() == MOST_OPEN) {
            awaitAnswers();
          }
        }
      }
      awaitAnswers();
    } finally {
      waiting.forEach(left -> kernel.close(left.socket()));
    }
    if (ownUid == ROOT && connected) {
      notes.add(
          "asked as root, which may write to every socket and is let in by most receivers: ask as the"
              + " proxy's user: sudo -u USER peekpass check …");
    }
    return new Answer(complaints, notes);
  }

  /** Connects; a connected socket is in {@code waiting}, which owns it. */
  private void begin(BackendConfig backend, String path) {
    Fault fault = look(path);
    if (fault != null) {
      complaints.add(new Complaint(backend, path, fault.problem(), fault.remedy()));
      return;
    }
    int r = -Errno.EPROTOTYPE;
    int type = 0;
    int[] types = types(backend.method());
    for (int i = 0; i < types.length && r == -Errno.EPROTOTYPE; i++) {
      type = types[i];
      r = connect(type, path);
    }
    if (r >= 0) {
      connected = true;
      if (type == Linux.SOCK_DGRAM) {
        notes.add(
            "backend "
                + backend.name()
                + ": unix:"
                + path
                + ": a datagram socket does not tell whether "
                + user
                + " is let in: see the receiver's log");
      }
      waiting.add(new Waiting(backend, path, Fd.of(r), type));
      return;
    }
    Fault failed = failed(backend, path, -r);
    complaints.add(new Complaint(backend, path, failed.problem(), failed.remedy()));
  }

  /** What a look at the file says against it. */
  private static @Nullable Fault look(String path) {
    // Where the directory may not be searched connect(2) tells.
    return ReceiverAdvice.isNoSocket(Path.of(path))
        ? new Fault("this is no socket", "correct the path, or start the receiver")
        : null;
  }

  /** The mode with the bits of the file's type, of where links lead. */
  private static Optional<Integer> mode(Path file) {
    try {
      return Optional.of((Integer) Files.getAttribute(file, "unix:mode"));
    } catch (IOException | UnsupportedOperationException e) {
      return Optional.empty();
    }
  }

  private static int[] types(Method method) {
    return switch (method) {
      case ONCE, PERSISTENT -> new int[] {Linux.SOCK_STREAM};
      case DATAGRAM -> new int[] {Linux.SOCK_DGRAM};
      case ACKNOWLEDGED -> new int[] {Linux.SOCK_SEQPACKET};
      case AUTO -> ALL_TYPES;
    };
  }

  /** Returns a connected socket, or -errno with nothing left open. */
  private int connect(int type, String path) {
    int r = kernel.socket(Linux.AF_UNIX, type | Linux.SOCK_NONBLOCK | Linux.SOCK_CLOEXEC, 0);
    if (r < 0) {
      return r;
    }
    Fd socket = Fd.of(r);
    // Nobody sends descriptors to this. Kernels before 6.16 do not know the option.
    kernel.setsockopt(socket, Linux.SOL_SOCKET, Linux.SO_PASSRIGHTS, 0);
    SockAddr address = new SockAddr();
    address.unix(path);
    int c;
    do {
      c = kernel.connect(socket, address);
    } while (c == -Errno.EINTR);
    if (c < 0) {
      kernel.close(socket);
      return c;
    }
    return r;
  }

  private Fault failed(BackendConfig backend, String path, int errno) {
    return switch (errno) {
      case Errno.ENOENT ->
          new Fault("there is no such socket", "start the receiver, or correct the path");
      case Errno.ECONNREFUSED ->
          new Fault(
              "the socket file is there but nobody listens",
              "start the receiver; if it is a mount of the file alone, mount its directory");
      case Errno.EACCES ->
          new Fault(
              user + " may not connect to it" + describe(path), ReceiverAdvice.mayNotConnect(path));
      case Errno.EPROTOTYPE ->
          new Fault(
              "it is a " + typeName(path) + " socket, and method is " + backend.method().label(),
              "write method: auto, or the receiver's");
      case Errno.EAGAIN ->
          new Fault(
              "its queue is full of connections that it has not accepted",
              "see whether the receiver hangs");
      case Errno.ENOTDIR -> new Fault("a part of the path is not a directory", "correct the path");
      default -> new Fault("connect: " + Errno.name(errno), "see connect(2), unix(7)");
    };
  }

  /** Its mode and owner, where they may be seen. */
  private static String describe(String path) {
    Path file = Path.of(path);
    return mode(file).map(mode -> " (%04o %s)".formatted(mode & 0xfff, owner(file))).orElse("");
  }

  private static String owner(Path file) {
    try {
      PosixFileAttributes seen = Files.readAttributes(file, PosixFileAttributes.class);
      return seen.owner().getName() + ":" + seen.group().getName();
    } catch (IOException | UnsupportedOperationException e) {
      return "of an owner that may not be seen";
    }
  }

  private String typeName(String path) {
    for (int type : ALL_TYPES) {
      int r = connect(type, path);
      if (r >= 0) {
        kernel.close(Fd.of(r));
        return switch (type) {
          case Linux.SOCK_SEQPACKET -> "seqpacket (acknowledged)";
          case Linux.SOCK_STREAM -> "stream (persistent, once)";
          default -> "datagram";
        };
      }
    }
    return "different";
  }

  /** Looks what becomes of the sockets that wait, which began together, and closes them. */
  private void awaitAnswers() {
    long began = kernel.nanoTime();
    while (!waiting.isEmpty()) {
      Waiting first = waiting.getFirst();
      Fault fault =
          switch (first.type()) {
            case Linux.SOCK_SEQPACKET -> askSeqpacket(first.socket(), began + HELLO_NANOS);
            case Linux.SOCK_STREAM -> askStream(first.socket(), began + STREAM_NANOS);
            default -> null;
          };
      if (fault != null) {
        complaints.add(
            new Complaint(first.backend(), first.path(), fault.problem(), fault.remedy()));
      }
      waiting.removeFirst();
      kernel.close(first.socket());
    }
  }

  private @Nullable Fault askSeqpacket(Fd socket, long deadlineNanos) {
    int r = receive(socket, deadlineNanos);
    if (r == -Errno.EAGAIN) {
      return new Fault("it says nothing for a second", "see whether the receiver hangs");
    }
    if (r <= 0) {
      return shutOut();
    }
    return switch (message.parse(buffer.bytes(), r)) {
      case HELLO -> null;
      case DENY -> denied();
      default ->
          new Fault("it does not begin with HELLO", "see whether that is a receiver of Peekpass");
    };
  }

  private @Nullable Fault askStream(Fd socket, long deadlineNanos) {
    int r = receive(socket, deadlineNanos);
    return r == -Errno.EAGAIN || r > 0 ? null : shutOut();
  }

  /** One message's length; 0 at the end, -EAGAIN when nothing has come in time, or -errno. */
  private int receive(Fd socket, long deadlineNanos) {
    int r;
    do {
      long left = Math.max(0, deadlineNanos - kernel.nanoTime());
      // Rounded up, so that it is not too early.
      kernel.poll(socket, Linux.POLLIN, (int) TimeUnit.NANOSECONDS.toMillis(left + 999_999));
      r = kernel.recv(socket, buffer, 0, MESSAGE_BYTES, Linux.MSG_DONTWAIT);
    } while (r == -Errno.EINTR || (r == -Errno.EAGAIN && deadlineNanos - kernel.nanoTime() > 0));
    return r;
  }

  private Fault shutOut() {
    return new Fault("it closes connections of " + user + " at once", ReceiverAdvice.allow(ownUid));
  }

  private Fault denied() {
    return switch (message.deniedReason()) {
      case HandOff.DENIED_USER -> {
        int uid = message.deniedUid() == HandOff.UID_UNKNOWN ? ownUid : message.deniedUid();
        yield new Fault(
            "uid " + Integer.toUnsignedString(uid) + " is not allowed", ReceiverAdvice.allow(uid));
      }
      case HandOff.DENIED_FULL ->
          new Fault(
              "it has as many UNIX connections as it takes",
              "see who else is connected, or raise the receiver's limit");
      case HandOff.DENIED_VERSION ->
          new Fault("it speaks no version that this proxy speaks", "use the same release for both");
      default ->
          new Fault(
              "it does not let " + user + " in, reason " + message.deniedReason(),
              "see the receiver's log");
    };
  }
}
