package dev.peekpass.receiver.netty;

import dev.peekpass.receiver.HandedOff;
import io.netty.channel.Channel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.epoll.LinuxSocket;
import io.netty.util.Version;
import java.lang.reflect.Constructor;
import java.lang.reflect.InaccessibleObjectException;
import java.lang.reflect.InvocationTargetException;
import java.net.InetSocketAddress;

/**
 * Makes children as {@code EpollServerSocketChannel} makes them. The constructor that takes a
 * parent is Netty's own; the public one leaves the parent out, and {@code Http2MultiplexHandler},
 * among others, takes a channel without one for a client's.
 */
final class ChildMaker {
  private static final String MODULE = "io.netty.transport.classes.epoll";
  private static final String PACKAGE = "io.netty.channel.epoll";

  private final Constructor<LinuxSocket> newSocket;
  private final Constructor<EpollSocketChannel> newChild;

  private ChildMaker(Constructor<LinuxSocket> newSocket, Constructor<EpollSocketChannel> newChild) {
    this.newSocket = newSocket;
    this.newChild = newChild;
  }

  /**
   * Finds what it needs of Netty.
   *
   * @throws IllegalStateException when it is not there or not open; the message says what to do
   */
  static ChildMaker resolve() {
    try {
      Constructor<LinuxSocket> newSocket = LinuxSocket.class.getDeclaredConstructor(int.class);
      Constructor<EpollSocketChannel> newChild =
          EpollSocketChannel.class.getDeclaredConstructor(
              Channel.class, LinuxSocket.class, InetSocketAddress.class);
      newSocket.setAccessible(true);
      newChild.setAccessible(true);
      return new ChildMaker(newSocket, newChild);
    } catch (NoSuchMethodException e) {
      throw new IllegalStateException(
          "this Netty ("
              + Version.identify().get("netty-transport-classes-epoll")
              + ") has no "
              + e.getMessage()
              + ", which the adapter makes children with: use Netty 4.2",
          e);
    } catch (InaccessibleObjectException e) {
      throw new IllegalStateException(
          "with Netty on the module path start java with --add-opens="
              + MODULE
              + "/"
              + PACKAGE
              + "="
              + ChildMaker.class.getModule().getName(),
          e);
    }
  }

  /**
   * Makes a child.
   *
   * @param received the child's from now on
   */
  EpollSocketChannel make(Channel parent, HandedOff received) {
    try {
      LinuxSocket socket = newSocket.newInstance(received.fd().number());
      EpollSocketChannel child = newChild.newInstance(parent, socket, received.client());
      child.attr(HandOffServerChannel.METADATA).set(received.metadata());
      if (received.offeredBefore()) {
        LateShutdown.prepare(child, received.fd());
      }
      return child;
    } catch (InvocationTargetException | InstantiationException | IllegalAccessException e) {
      throw new LinkageError("these constructors only keep what they are given", e);
    }
  }
}
