package dev.peekpass.agent;

import java.io.FileDescriptor;
import java.lang.classfile.ClassHierarchyResolver;
import java.lang.classfile.CodeBuilder;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;
import java.lang.instrument.ClassFileTransformer;
import java.lang.instrument.Instrumentation;
import java.lang.instrument.UnmodifiableClassException;
import java.security.ProtectionDomain;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Rewrites the classes of the JDK that listen and accept. */
final class JdkRewriting {
  private static final String PACKAGE = "sun/nio/ch/";
  private static final String NET = PACKAGE + "Net";
  private static final String DISPATCHER = PACKAGE + "NativeDispatcher";
  private static final ClassDesc FILE_DESCRIPTOR =
      FileDescriptor.class.describeConstable().orElseThrow();
  private static final ClassDesc PROTOCOL_FAMILY = ClassDesc.of("java.net.ProtocolFamily");
  private static final ClassDesc SOCKET_OPTION = ClassDesc.of("java.net.SocketOption");
  private static final MethodTypeDesc CLOSING =
      MethodTypeDesc.of(ConstantDescs.CD_void, FILE_DESCRIPTOR);

  private JdkRewriting() {}

  /** What is done to each class, by its name with slashes. */
  static Map<String, Rewriting> rewritings() {
    return Map.of(
        // ServerSocketChannel
        PACKAGE + "ServerSocketChannelImpl",
        new Rewriting()
            .replace(NET, "bind", "netBind")
            .replace(NET, "listen", "netBind")
            .replace(NET, "localAddress", "netBind")
            .replace(NET, "accept", "implAccept")
            .atStart(
                "implCloseSelectableChannel", "()V", closing(PACKAGE + "ServerSocketChannelImpl"))
            .before(DISPATCHER, "close", JdkRewriting::closed),
        // ServerSocket
        PACKAGE + "NioSocketImpl",
        new Rewriting()
            .replace(
                NET,
                "bind",
                code ->
                    code.aload(0)
                        .getfield(
                            ClassDesc.ofInternalName(PACKAGE + "NioSocketImpl"),
                            "server",
                            ConstantDescs.CD_boolean),
                List.of(ConstantDescs.CD_boolean),
                "bind")
            .replace(NET, "listen", "listen")
            .replace(NET, "localAddress", "bind", "getOption")
            .replace(NET, "accept", "accept", "timedAccept")
            .atStart("close", "()V", closing(PACKAGE + "NioSocketImpl"))
            .before(DISPATCHER, "close", JdkRewriting::closed),
        // AsynchronousServerSocketChannel
        PACKAGE + "AsynchronousServerSocketChannelImpl",
        new Rewriting()
            .replace(NET, "bind", "bind")
            .replace(NET, "listen", "bind")
            .replace(NET, "localAddress", "bind"),
        PACKAGE + "UnixAsynchronousServerSocketChannelImpl",
        new Rewriting()
            .replace(NET, "accept", "implAccept", "onEvent")
            .atStart(
                "implClose", "()V", closing(PACKAGE + "UnixAsynchronousServerSocketChannelImpl"))
            .before(DISPATCHER, "close", JdkRewriting::closed),
        // What they accept. Sockets are closed in NioSocketImpl, as ServerSockets are.
        PACKAGE + "SocketChannelImpl",
        new Rewriting()
            .atStart(
                "implCloseSelectableChannel",
                "()V",
                connectionClosing(PACKAGE + "SocketChannelImpl")),
        PACKAGE + "UnixAsynchronousSocketChannelImpl",
        new Rewriting()
            .atStart(
                "implClose",
                "()V",
                connectionClosing(PACKAGE + "UnixAsynchronousSocketChannelImpl")),
        // Options of all of them, and of what they accept
        NET,
        new Rewriting()
            .atStart(
                "setSocketOption",
                "(Ljava/io/FileDescriptor;Ljava/net/ProtocolFamily;Ljava/net/SocketOption;"
                    + "Ljava/lang/Object;)V",
                JdkRewriting::options)
            .atStart(
                "getSocketOption",
                "(Ljava/io/FileDescriptor;Ljava/net/ProtocolFamily;Ljava/net/SocketOption;)"
                    + "Ljava/lang/Object;",
                JdkRewriting::options));
  }

  private static java.util.function.Consumer<CodeBuilder> closing(String type) {
    return hookWithDescriptor(type, "closing");
  }

  private static java.util.function.Consumer<CodeBuilder> connectionClosing(String type) {
    return hookWithDescriptor(type, "connectionClosing");
  }

  private static java.util.function.Consumer<CodeBuilder> hookWithDescriptor(
      String type, String hook) {
    return code ->
        code.aload(0)
            .getfield(ClassDesc.ofInternalName(type), "fd", FILE_DESCRIPTOR)
            .invokestatic(HookClass.NAME, hook, CLOSING);
  }

  /**
   * The descriptor itself is closed, perhaps later than the socket: by the last thread that was in
   * it, or by the cleaner of a socket that nobody has closed.
   */
  private static void closed(CodeBuilder code) {
    code.dup().invokestatic(HookClass.NAME, "closed", CLOSING);
  }

  /** The first two parameters, descriptor and family, become what the hooks say. */
  private static void options(CodeBuilder code) {
    code.aload(0)
        .aload(1)
        .aload(2)
        .invokestatic(
            HookClass.NAME,
            "optionFamily",
            MethodTypeDesc.of(PROTOCOL_FAMILY, FILE_DESCRIPTOR, PROTOCOL_FAMILY, SOCKET_OPTION))
        .astore(1)
        .aload(0)
        .invokestatic(
            HookClass.NAME, "optionTarget", MethodTypeDesc.of(FILE_DESCRIPTOR, FILE_DESCRIPTOR))
        .astore(0);
  }

  /**
   * Rewrites them, and again whenever another agent has the JVM go back to what they were.
   *
   * @throws IllegalStateException naming what this JDK does not have
   */
  static void apply(Instrumentation instrumentation) {
    Map<String, Rewriting> rewritings = rewritings();
    Transformer transformer = new Transformer(rewritings);
    instrumentation.addTransformer(transformer, true);
    try {
      List<Class<?>> classes = new ArrayList<>();
      for (String name : rewritings.keySet()) {
        classes.add(Class.forName(name.replace('/', '.'), false, null));
      }
      instrumentation.retransformClasses(classes.toArray(Class<?>[]::new));
    } catch (ClassNotFoundException e) {
      throw refusal("there is no " + e.getMessage(), e);
    } catch (UnmodifiableClassException e) {
      throw refusal(String.valueOf(e.getMessage()), e);
    }
    transformer.check();
  }

  private static IllegalStateException refusal(String what, Throwable cause) {
    return new IllegalStateException(
        "this JDK (" + Runtime.version() + "): " + what + ": " + Rewriting.REMEDY, cause);
  }

  private static final class Transformer implements ClassFileTransformer {
    private final Map<String, Rewriting> rewritings;
    private final List<String> done = new ArrayList<>();
    private @Nullable Throwable failure;

    Transformer(Map<String, Rewriting> rewritings) {
      this.rewritings = rewritings;
    }

    @Override
    public byte @Nullable [] transform(
        @Nullable Module module,
        @Nullable ClassLoader loader,
        String name,
        @Nullable Class<?> type,
        @Nullable ProtectionDomain domain,
        byte[] original) {
      Rewriting rewriting = loader == null && type != null ? rewritings.get(name) : null;
      if (rewriting == null) {
        return null;
      }
      try {
        byte[] rewritten = rewriting.apply(original, ClassHierarchyResolver.defaultResolver());
        done.add(name);
        return rewritten;
      } catch (Rewriting.MissingSiteException | RuntimeException | Error e) {
        failure = e;
        return null;
      }
    }

    /** An exception in a transformer is not told to anybody. */
    void check() {
      if (failure != null) {
        throw refusal(String.valueOf(failure.getMessage()), failure);
      }
      for (String name : rewritings.keySet()) {
        if (!done.contains(name)) {
          throw refusal(
              name.replace('/', '.') + " cannot be rewritten", new IllegalStateException());
        }
      }
    }
  }
}
