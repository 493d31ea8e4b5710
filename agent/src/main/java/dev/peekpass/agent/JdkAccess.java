package dev.peekpass.agent;

import dev.peekpass.linux.Fd;
import java.io.FileDescriptor;
import java.io.IOException;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.reflect.Method;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ProtocolFamily;
import java.util.ArrayList;
import java.util.List;

/**
 * The JDK's own methods behind the calls that are rewritten, and what reads and writes the number
 * in a {@link FileDescriptor}. Found when the agent starts, so that a JDK without them stops the
 * start.
 */
final class JdkAccess {
  private static final String PACKAGE = "sun.nio.ch.";

  private final MethodHandle bind;
  private final MethodHandle listen;
  private final MethodHandle accept;
  private final MethodHandle localAddress;
  private final MethodHandle number;
  private final MethodHandle setNumber;

  private JdkAccess(List<MethodHandle> found) {
    bind = found.get(0);
    listen = found.get(1);
    accept = found.get(2);
    localAddress = found.get(3);
    number = found.get(4);
    setNumber = found.get(5);
  }

  /**
   * Finds them.
   *
   * @throws IllegalStateException naming what is not there
   */
  static JdkAccess resolve() {
    try {
      Class<?> net = Class.forName(PACKAGE + "Net");
      Class<?> ioUtil = Class.forName(PACKAGE + "IOUtil");
      List<Method> methods =
          List.of(
              net.getDeclaredMethod(
                  "bind", ProtocolFamily.class, FileDescriptor.class, InetAddress.class, int.class),
              net.getDeclaredMethod("listen", FileDescriptor.class, int.class),
              net.getDeclaredMethod(
                  "accept", FileDescriptor.class, FileDescriptor.class, InetSocketAddress[].class),
              net.getDeclaredMethod("localAddress", FileDescriptor.class),
              ioUtil.getDeclaredMethod("fdVal", FileDescriptor.class),
              ioUtil.getDeclaredMethod("setfdVal", FileDescriptor.class, int.class));
      List<MethodHandle> handles = new ArrayList<>();
      for (Method method : methods) {
        method.setAccessible(true);
        handles.add(MethodHandles.lookup().unreflect(method));
      }
      return new JdkAccess(handles);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(
          "this JDK (" + Runtime.version() + ") has no " + e.getMessage() + ": " + Rewriting.REMEDY,
          e);
    }
  }

  /** {@code Net.bind}. */
  void bind(ProtocolFamily family, FileDescriptor fd, InetAddress address, int port)
      throws IOException {
    try {
      bind.invokeExact(family, fd, address, port);
    } catch (Throwable t) {
      throw declared(t);
    }
  }

  /** {@code Net.listen}. */
  void listen(FileDescriptor fd, int backlog) throws IOException {
    try {
      listen.invokeExact(fd, backlog);
    } catch (Throwable t) {
      throw declared(t);
    }
  }

  /** {@code Net.accept}: how many were accepted, or a negative {@code IOStatus}. */
  int accept(FileDescriptor fd, FileDescriptor accepted, InetSocketAddress[] client)
      throws IOException {
    try {
      return (int) accept.invokeExact(fd, accepted, client);
    } catch (Throwable t) {
      throw declared(t);
    }
  }

  /** {@code Net.localAddress}. */
  InetSocketAddress localAddress(FileDescriptor fd) throws IOException {
    try {
      return (InetSocketAddress) localAddress.invokeExact(fd);
    } catch (Throwable t) {
      throw declared(t);
    }
  }

  /** The descriptor in a FileDescriptor. */
  Fd fd(FileDescriptor fd) {
    try {
      return Fd.of((int) number.invokeExact(fd));
    } catch (Throwable t) {
      throw undeclared(t);
    }
  }

  /** Puts a descriptor into a FileDescriptor. */
  void setFd(FileDescriptor descriptor, Fd fd) {
    try {
      setNumber.invokeExact(descriptor, fd.number());
    } catch (Throwable t) {
      throw undeclared(t);
    }
  }

  private static IOException declared(Throwable t) {
    return t instanceof IOException e ? e : new IOException(undeclared(t));
  }

  /** Throws it if it is unchecked, which is all that may come. */
  private static AssertionError undeclared(Throwable t) {
    switch (t) {
      case RuntimeException e -> throw e;
      case Error e -> throw e;
      default -> throw new AssertionError("the JDK declares no other exception here", t);
    }
  }
}
