package dev.peekpass.receiver;

import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.OverflowUid;
import dev.peekpass.wire.HandOff;
import java.io.IOException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HashSet;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** How a receiver shall be; made by {@link Receiver#builder}. Each method returns this builder. */
public final class ReceiverBuilder {
  private static final int UID_ROOT = 0;
  private static final int BACKLOG = 4096;
  private static final int UNIX_CONNECTIONS_MAX = 1024;
  private static final int CREDITS = 256;

  private final Path path;
  private SocketType type = SocketType.ACKNOWLEDGED;
  private String mode = "rw-rw----";
  private @Nullable String owner;
  private @Nullable String group;
  private final Set<Integer> allowedUids = new HashSet<>(Set.of(UID_ROOT));
  private int backlog = BACKLOG;
  private int unixConnectionsMax = UNIX_CONNECTIONS_MAX;
  private int credits = CREDITS;
  private System.@Nullable Logger log;
  private Supplier<Kernel> kernels = LinuxKernel::open;

  ReceiverBuilder(Path path) {
    this.path = path;
  }

  /** The type of the UNIX socket; {@link SocketType#ACKNOWLEDGED} when not called. */
  public ReceiverBuilder type(SocketType socketType) {
    this.type = socketType;
    return this;
  }

  /**
   * The permissions of the socket file; {@code rw-rw----} when not called. Whoever may write may
   * connect, and is then asked for its uid.
   *
   * @param permissions as ls(1) shows them
   * @throws IllegalArgumentException when they are written otherwise
   */
  public ReceiverBuilder mode(String permissions) {
    PosixFilePermissions.fromString(permissions);
    this.mode = permissions;
    return this;
  }

  /** The user that owns the socket file; this process's when not called. Only root may set it. */
  public ReceiverBuilder owner(String user) {
    this.owner = user;
    return this;
  }

  /** The group of the socket file; this process's when not called. */
  public ReceiverBuilder group(String groupName) {
    this.group = groupName;
    return this;
  }

  /**
   * Lets a user hand connections over, beside root and the user of this process, who always may.
   * Call it once for each user.
   *
   * @param uid 0 or more
   * @throws IllegalArgumentException also for the overflow uid (/proc/sys/kernel/overflowuid,
   *     mostly 65534), which stands for every user that has no number in this user namespace
   */
  public ReceiverBuilder allowUid(int uid) {
    if (uid < 0) {
      throw new IllegalArgumentException("a uid is 0 or more, not " + uid);
    }
    if (OverflowUid.isEverybodys(uid)) {
      throw new IllegalArgumentException(PeerPolicy.everybodys(uid));
    }
    allowedUids.add(uid);
    return this;
  }

  /**
   * How many UNIX connections may wait to be accepted (listen(2)); 4096 when not called. The kernel
   * lowers it to {@code net.core.somaxconn}. Means nothing on a datagram socket.
   *
   * @param connections 1 or more
   */
  public ReceiverBuilder backlog(int connections) {
    this.backlog = requirePositive(connections);
    return this;
  }

  /**
   * How many UNIX connections may be open at once; 1024 when not called. More wait in the backlog
   * until one ends; those of {@link SocketType#ACKNOWLEDGED} are told so and closed. Means nothing
   * on a datagram socket.
   *
   * @param connections 1 or more
   */
  public ReceiverBuilder maxUnixConnections(int connections) {
    this.unixConnectionsMax = requirePositive(connections);
    return this;
  }

  /**
   * How many connections each loop of a proxy may have on their way here; 256 when not called. More
   * wait in the proxy, which gives them to others that have room. Means something to {@link
   * SocketType#ACKNOWLEDGED} only.
   *
   * @param connections 1 to 4096
   */
  public ReceiverBuilder credits(int connections) {
    if (connections > HandOff.MAX_CLAIM_WORDS) {
      throw new IllegalArgumentException(
          "at most " + HandOff.MAX_CLAIM_WORDS + ", not " + connections);
    }
    this.credits = requirePositive(connections);
    return this;
  }

  /**
   * Where the receiver logs; the {@code System.Logger} named {@code dev.peekpass.receiver.Receiver}
   * when not called.
   */
  public ReceiverBuilder logger(System.Logger logger) {
    this.log = logger;
    return this;
  }

  private static int requirePositive(int connections) {
    if (connections < 1) {
      throw new IllegalArgumentException("at least 1, not " + connections);
    }
    return connections;
  }

  /** Puts another kernel in the place of the real one. */
  ReceiverBuilder kernels(Supplier<Kernel> supplier) {
    this.kernels = supplier;
    return this;
  }

  /**
   * Binds the socket file and starts to receive. What comes from now on waits for {@link
   * Receiver#accept}.
   *
   * @throws IOException when the path cannot be had, mostly a {@link
   *     dev.peekpass.linux.SystemCallException}; the message says what to do. Nothing is left
   *     behind
   * @throws IllegalStateException when the JVM does not allow what a receiver needs; the message
   *     names the flags
   */
  public Receiver open() throws IOException {
    ChannelAdopter adopter = ChannelAdopter.resolve();
    Receiver.Settings settings = settings();
    Kernel kernel = newKernel();
    return new Receiver(openDescriptors(settings), kernel, adopter, settings.log());
  }

  /**
   * Binds as {@link #open} does, but for a receiver of bare descriptors, which needs native access
   * only.
   *
   * @throws IOException as {@link #open} does
   * @throws IllegalStateException when the JVM may not call native code; the message names the flag
   */
  public DescriptorReceiver openDescriptors() throws IOException {
    return openDescriptors(settings());
  }

  private DescriptorReceiver openDescriptors(Receiver.Settings settings) throws IOException {
    return DescriptorReceiver.open(settings, this::newKernel);
  }

  /** What is opened. */
  Receiver.Settings settings() {
    Set<Integer> uids = new HashSet<>(allowedUids);
    int own = newKernel().geteuid();
    if (!OverflowUid.isEverybodys(own)) {
      uids.add(own);
    }
    return new Receiver.Settings(
        path,
        type,
        new SocketAccess(PosixFilePermissions.fromString(mode), owner, group),
        uids,
        backlog,
        unixConnectionsMax,
        credits,
        log == null ? System.getLogger(Receiver.class.getName()) : log);
  }

  private Kernel newKernel() {
    try {
      return kernels.get();
    } catch (IllegalStateException e) {
      throw new IllegalStateException(e.getMessage() + "; a receiver needs: " + JvmFlags.REMEDY, e);
    }
  }
}
