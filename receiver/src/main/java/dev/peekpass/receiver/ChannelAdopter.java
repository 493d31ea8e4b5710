package dev.peekpass.receiver;

import dev.peekpass.linux.Fd;
import java.io.FileDescriptor;
import java.io.IOException;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.net.InetSocketAddress;
import java.net.ProtocolFamily;
import java.net.SocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.channels.spi.SelectorProvider;

/**
 * Adopts a descriptor: makes a {@link SocketChannel} of it, of the very class that the JDK's own
 * accept makes. The JDK has no public way to do that, so this is the one place that depends on its
 * inside, checked when it is made.
 */
final class ChannelAdopter {
  private static final String PACKAGE = "sun.nio.ch";

  private final SelectorProvider provider = SelectorProvider.provider();
  private final MethodHandle newDescriptor;
  private final MethodHandle remoteAddress;
  private final MethodHandle newChannel;

  private ChannelAdopter(
      MethodHandle newDescriptor, MethodHandle remoteAddress, MethodHandle newChannel) {
    this.newDescriptor = newDescriptor;
    this.remoteAddress = remoteAddress;
    this.newChannel = newChannel;
  }

  /**
   * Finds what it needs of the JDK.
   *
   * @throws IllegalStateException when it is not open to this module (the message names the flags)
   *     or not there (the message names what is missing)
   */
  static ChannelAdopter resolve() {
    return resolve(PACKAGE);
  }

  /** As above, looking in a package that a test can choose. */
  static ChannelAdopter resolve(String packageName) {
    try {
      Class<?> channel = Class.forName(packageName + ".SocketChannelImpl");
      Class<?> net = Class.forName(packageName + ".Net");
      Class<?> ioUtil = Class.forName(packageName + ".IOUtil");
      Module self = ChannelAdopter.class.getModule();
      if (!channel.getModule().isOpen(packageName, self)) {
        throw new IllegalStateException(
            "this JVM does not let a receiver adopt descriptors: " + JvmFlags.REMEDY);
      }
      MethodHandles.Lookup lookup = MethodHandles.lookup();
      Method newFd = ioUtil.getDeclaredMethod("newFD", int.class);
      Method remote = net.getDeclaredMethod("remoteAddress", FileDescriptor.class);
      Constructor<?> constructor =
          channel.getDeclaredConstructor(
              SelectorProvider.class,
              ProtocolFamily.class,
              FileDescriptor.class,
              SocketAddress.class);
      newFd.setAccessible(true);
      remote.setAccessible(true);
      constructor.setAccessible(true);
      return new ChannelAdopter(
          lookup.unreflect(newFd),
          lookup.unreflect(remote),
          lookup
              .unreflectConstructor(constructor)
              .asType(
                  MethodType.methodType(
                      SocketChannel.class,
                      SelectorProvider.class,
                      ProtocolFamily.class,
                      FileDescriptor.class,
                      SocketAddress.class)));
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(
          "this JDK ("
              + Runtime.version()
              + ") has no "
              + e.getMessage()
              + ", which a receiver needs to adopt descriptors: run it on JDK 25",
          e);
    }
  }

  /**
   * Makes the JDK open what virtual threads wait with, epoll descriptors, where that is done once
   * and for all: if it came to be at the limit of open descriptors, no virtual thread could ever
   * wait for a channel.
   */
  static void preparePolling() {
    try {
      Class.forName(PACKAGE + ".Poller");
    } catch (ClassNotFoundException e) {
      // A JDK that arranges it in another way: nothing to prepare.
    }
  }

  /**
   * Adopts a connected TCP socket.
   *
   * @param fd the channel's from now on; still the caller's when this method throws. Not
   *     non-blocking: the channel takes itself to be in blocking mode and does not look
   * @param family the descriptor's own, INET or INET6. The JDK chooses socket options by it, and
   *     with INET6 on a socket of AF_INET {@code IP_TOS} would fail
   * @return in blocking mode
   * @throws IOException when the connection has no addresses, because the client has gone
   */
  SocketChannel adopt(Fd fd, ProtocolFamily family) throws IOException {
    try {
      FileDescriptor descriptor = (FileDescriptor) newDescriptor.invokeExact(fd.number());
      InetSocketAddress remote = (InetSocketAddress) remoteAddress.invokeExact(descriptor);
      return (SocketChannel)
          newChannel.invokeExact(provider, family, descriptor, (SocketAddress) remote);
    } catch (IOException | RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError("the JDK declares no other exception here", e);
    }
  }
}
