package dev.peekpass.agent;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.receiver.HandedOff;
import java.io.FileDescriptor;
import java.io.IOException;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ProtocolFamily;
import java.net.SocketAddress;
import java.net.SocketOption;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What rewritten code calls, by way of the class that {@link HookClass} makes: each public method
 * here is one there. Runs in the server's threads, virtual ones too.
 *
 * <p>Those with the name of a method of {@code sun.nio.ch.Net} stand in its place and have its
 * contract. Those that begin with {@code netty} are called at the start of a method of {@code
 * io.netty.channel.unix.Socket}, which goes on as ever when the hook has nothing to say.
 */
public final class Hooks {
  /** {@code sun.nio.ch.IOStatus.UNAVAILABLE}: nothing to accept now. */
  private static final int UNAVAILABLE = -2;

  /** As {@code Net.UNSPEC} to bind, for which anything but INET is the same. */
  private static final ProtocolFamily UNSPECIFIED = StandardProtocolFamily.INET6;

  /** What {@code accept} of Netty's says when there is nothing to accept. */
  private static final int NETTY_NOTHING = -1;

  /** What {@link #nettyAccept} says when it has nothing to do with the socket. */
  static final int NETTY_NOT_CAPTURED = Integer.MIN_VALUE;

  private static @Nullable Hooks installed;

  private final JdkAccess jdk;
  private final Captures<FileDescriptor> captures;
  private final Captures<Integer> nettyCaptures;
  private final HeldElsewhere<FileDescriptor> heldElsewhere = new HeldElsewhere<>();
  private final HeldElsewhere<Integer> nettyHeldElsewhere = new HeldElsewhere<>();

  private Hooks(List<Pair> pairs, JdkAccess jdk, System.Logger log) {
    this.jdk = jdk;
    captures = new Captures<>(pairs, log);
    nettyCaptures = new Captures<>(pairs, log);
  }

  /** Must come before any of the methods below. */
  static void install(List<Pair> pairs, JdkAccess jdk, System.Logger log) {
    installed = new Hooks(pairs, jdk, log);
  }

  private static Hooks hooks() {
    Hooks hooks = installed;
    if (hooks == null) {
      throw new IllegalStateException("the agent is not installed");
    }
    return hooks;
  }

  /** In the place of {@code Net.bind} in a listening channel. */
  public static void bind(ProtocolFamily family, FileDescriptor fd, InetAddress address, int port)
      throws IOException {
    hooks().bindJdk(family, fd, address, port);
  }

  /** In the place of {@code Net.bind} in an asynchronous listening channel. */
  public static void bind(FileDescriptor fd, InetAddress address, int port) throws IOException {
    hooks().bindJdk(UNSPECIFIED, fd, address, port);
  }

  /**
   * In the place of {@code Net.bind} in a socket of java.net.
   *
   * @param server whether it is a ServerSocket's: a client may bind, too, and never listens
   */
  public static void bind(FileDescriptor fd, InetAddress address, int port, boolean server)
      throws IOException {
    if (server) {
      hooks().bindJdk(UNSPECIFIED, fd, address, port);
    } else {
      hooks().jdk.bind(UNSPECIFIED, fd, address, port);
    }
  }

  private void bindJdk(ProtocolFamily family, FileDescriptor fd, InetAddress address, int port)
      throws IOException {
    Pair pair = captures.match(address, port);
    if (pair == null) {
      jdk.bind(family, fd, address, port);
      return;
    }
    captures.bound(fd, pair, bindCaptured(pair, family, fd, address, port));
  }

  /** Binds what shall listen on TCP, too; returns what the server shall be told it has bound. */
  private InetSocketAddress bindCaptured(
      Pair pair, ProtocolFamily family, FileDescriptor fd, InetAddress address, int port)
      throws IOException {
    if (pair.tcp() || port == 0) {
      // Port 0: the kernel chooses one, which nobody else has.
      jdk.bind(family, fd, address, port);
      return jdk.localAddress(fd);
    }
    boolean inet6 = isInet6(jdk.fd(fd));
    return new InetSocketAddress(inet6 && address.isAnyLocalAddress() ? anyInet6() : address, port);
  }

  /** What a socket of AF_INET6 tells when any address is bound, whatever the server wrote. */
  private static InetAddress anyInet6() {
    try {
      return Inet6Address.getByAddress(new byte[16]);
    } catch (UnknownHostException e) {
      throw new AssertionError("an address of 16 bytes is always known", e);
    }
  }

  private static boolean isInet6(Fd fd) {
    return LinuxKernel.open().getsockopt(fd, Linux.SOL_SOCKET, Linux.SO_DOMAIN) == Linux.AF_INET6;
  }

  /** In the place of {@code Net.listen}. */
  public static void listen(FileDescriptor fd, int backlog) throws IOException {
    hooks().listenJdk(fd, backlog);
  }

  private void listenJdk(FileDescriptor fd, int backlog) throws IOException {
    CapturedSocket socket = captures.get(fd);
    if (socket == null) {
      jdk.listen(fd, backlog);
      return;
    }
    try {
      socket.listen(jdk.fd(fd), false, () -> jdk.listen(fd, backlog));
    } catch (IOException | RuntimeException | Error e) {
      captures.close(fd);
      throw e;
    }
  }

  /** In the place of {@code Net.accept}. */
  public static int accept(FileDescriptor fd, FileDescriptor accepted, InetSocketAddress[] client)
      throws IOException {
    return hooks().acceptJdk(fd, accepted, client);
  }

  private int acceptJdk(FileDescriptor fd, FileDescriptor accepted, InetSocketAddress[] client)
      throws IOException {
    CapturedSocket socket = captures.get(fd);
    if (socket == null) {
      return jdk.accept(fd, accepted, client);
    }
    HandedOff connection = socket.accept();
    if (connection == null) {
      return UNAVAILABLE;
    }
    heldElsewhere.accepted(accepted, connection);
    jdk.setFd(accepted, connection.fd());
    client[0] = connection.client();
    return 1;
  }

  /** In the place of {@code Net.localAddress}. */
  public static InetSocketAddress localAddress(FileDescriptor fd) throws IOException {
    CapturedSocket socket = hooks().captures.get(fd);
    return socket == null ? hooks().jdk.localAddress(fd) : socket.localAddress();
  }

  /**
   * When a socket of the JDK begins to close; often for nothing. Threads may still be in its
   * accept: to them it is a socket on which nothing comes any more.
   */
  public static void closing(@Nullable FileDescriptor fd) {
    CapturedSocket socket = fd == null ? null : hooks().captures.get(fd);
    if (socket != null) {
      socket.close();
    }
    connectionClosing(fd);
  }

  /** When a socket of the JDK that may be a connection begins to close; often for nothing. */
  public static void connectionClosing(@Nullable FileDescriptor fd) {
    if (fd != null) {
      hooks().heldElsewhere.closing(fd, () -> hooks().jdk.fd(fd));
    }
  }

  /** Before the JDK closes a descriptor; often for nothing. */
  public static void closed(FileDescriptor fd) {
    hooks().captures.close(fd);
  }

  /** On which descriptor an option of this one is set and asked. */
  public static FileDescriptor optionTarget(FileDescriptor fd) {
    return hooks().optionTargetJdk(fd);
  }

  private FileDescriptor optionTargetJdk(FileDescriptor fd) {
    CapturedSocket socket = captures.get(fd);
    Fd shadow = socket == null ? null : socket.optionSocket();
    if (shadow == null) {
      return fd;
    }
    return descriptor(shadow.number());
  }

  /**
   * By which family an option is chosen. The JDK takes every socket of a dual-stack JVM to be of
   * INET6; a connection that was handed over can be of AF_INET, where IPV6_TCLASS does not exist.
   */
  public static ProtocolFamily optionFamily(
      FileDescriptor fd, ProtocolFamily family, SocketOption<?> option) {
    boolean byFamily =
        family == StandardProtocolFamily.INET6 && option.equals(StandardSocketOptions.IP_TOS);
    return byFamily && !isInet6(hooks().jdk.fd(fd)) ? StandardProtocolFamily.INET : family;
  }

  /**
   * At the start of Netty's {@code bind}.
   *
   * @param socket Netty's, for its class
   * @return whether that was all
   * @throws IOException when the transport accepts in a way that cannot be captured
   */
  public static boolean nettyBind(Object socket, int fd, SocketAddress address) throws IOException {
    return hooks().bindNetty(socket, fd, address);
  }

  private boolean bindNetty(Object socket, int fd, SocketAddress address) throws IOException {
    if (!(address instanceof InetSocketAddress inet) || inet.isUnresolved()) {
      return false;
    }
    if (LinuxKernel.open().getsockopt(Fd.of(fd), Linux.SOL_SOCKET, Linux.SO_TYPE)
        != Linux.SOCK_STREAM) {
      // A datagram socket, of QUIC perhaps.
      return false;
    }
    Pair pair = nettyCaptures.match(inet.getAddress(), inet.getPort());
    if (pair == null) {
      return false;
    }
    String transport = socket.getClass().getName();
    if (transport.contains("uring")) {
      throw new IOException(
          "peekpass-agent: "
              + pair.text()
              + ": the server uses Netty's io_uring transport ("
              + transport
              + "), which accepts inside the kernel, where the agent cannot give it connections:"
              + " let the server use Netty's epoll or NIO transport");
    }
    ProtocolFamily family =
        isInet6(Fd.of(fd)) ? StandardProtocolFamily.INET6 : StandardProtocolFamily.INET;
    InetSocketAddress local =
        bindCaptured(pair, family, descriptor(fd), inet.getAddress(), inet.getPort());
    nettyCaptures.bound(fd, pair, local);
    return true;
  }

  private FileDescriptor descriptor(int fd) {
    FileDescriptor descriptor = new FileDescriptor();
    jdk.setFd(descriptor, Fd.of(fd));
    return descriptor;
  }

  /** At the start of Netty's {@code listen}; whether that was all. */
  public static boolean nettyListen(int fd, int backlog) throws IOException {
    return hooks().listenNetty(fd, backlog);
  }

  private boolean listenNetty(int fd, int backlog) throws IOException {
    CapturedSocket socket = nettyCaptures.get(fd);
    if (socket == null) {
      return false;
    }
    try {
      socket.listen(Fd.of(fd), true, () -> jdk.listen(descriptor(fd), backlog));
    } catch (IOException | RuntimeException | Error e) {
      nettyCaptures.close(fd);
      throw e;
    }
    return true;
  }

  /**
   * At the start of Netty's {@code accept}.
   *
   * @param client filled in as Netty's native code does: the length, the address, for IPv6 the
   *     scope, and the port
   * @return the descriptor, {@link #NETTY_NOTHING}, or {@link #NETTY_NOT_CAPTURED}
   */
  public static int nettyAccept(int fd, byte[] client) {
    CapturedSocket socket = hooks().nettyCaptures.get(fd);
    if (socket == null) {
      return NETTY_NOT_CAPTURED;
    }
    HandedOff connection = socket.accept();
    if (connection == null) {
      return NETTY_NOTHING;
    }
    hooks().nettyHeldElsewhere.accepted(connection.fd().number(), connection);
    InetAddress address = connection.client().getAddress();
    byte[] raw = address.getAddress();
    ByteBuffer text = ByteBuffer.wrap(client);
    text.position(1).put(raw);
    if (address instanceof Inet6Address inet6) {
      text.putInt(inet6.getScopeId());
    }
    text.putInt(connection.client().getPort());
    text.put(0, (byte) (text.position() - 1));
    return connection.fd().number();
  }

  /** At the start of Netty's {@code localAddress}; null when it is to go on. */
  public static @Nullable InetSocketAddress nettyLocalAddress(int fd) {
    CapturedSocket socket = hooks().nettyCaptures.get(fd);
    return socket == null ? null : socket.localAddress();
  }

  /** Before Netty closes a descriptor; often for nothing. */
  public static void nettyClosing(int fd) {
    hooks().nettyCaptures.close(fd);
    hooks().nettyHeldElsewhere.closing(fd, () -> Fd.of(fd));
  }

  /** On which descriptor an option of this one is set and asked. */
  public static int nettyOptionTarget(int fd) {
    CapturedSocket socket = hooks().nettyCaptures.get(fd);
    Fd shadow = socket == null ? null : socket.optionSocket();
    return shadow == null ? fd : shadow.number();
  }
}
