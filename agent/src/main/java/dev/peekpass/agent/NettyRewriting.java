package dev.peekpass.agent;

import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassHierarchyResolver;
import java.lang.classfile.ClassModel;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.CodeElement;
import java.lang.classfile.Opcode;
import java.lang.classfile.instruction.FieldInstruction;
import java.lang.classfile.instruction.InvokeInstruction;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;
import java.lang.instrument.ClassFileTransformer;
import java.security.ProtectionDomain;
import org.jspecify.annotations.Nullable;

/**
 * Rewrites the sockets of Netty's native transports, in every copy of Netty that the server loads.
 * A shaded copy has other package names, so they are known by the end of their names and by what
 * they have.
 */
final class NettyRewriting implements ClassFileTransformer {
  private static final String SOCKET = "/channel/unix/Socket";
  private static final String DESCRIPTOR = "/channel/unix/FileDescriptor";
  private static final String EPOLL_SOCKET = "/channel/epoll/LinuxSocket";

  private static final ClassDesc SOCKET_ADDRESS = ClassDesc.of("java.net.SocketAddress");
  private static final ClassDesc INET_SOCKET_ADDRESS = ClassDesc.of("java.net.InetSocketAddress");
  private static final ClassDesc BYTES = ConstantDescs.CD_byte.arrayType();
  private static final MethodTypeDesc NUMBER = MethodTypeDesc.of(ConstantDescs.CD_int);

  private final System.Logger log;
  private final Runnable stop;

  /**
   * Watches for them.
   *
   * @param stop ends the JVM: what is not rewritten would listen on TCP, silently
   */
  NettyRewriting(System.Logger log, Runnable stop) {
    this.log = log;
    this.stop = stop;
  }

  @Override
  public byte @Nullable [] transform(
      @Nullable Module module,
      @Nullable ClassLoader loader,
      @Nullable String name,
      @Nullable Class<?> type,
      @Nullable ProtectionDomain domain,
      byte[] original) {
    if (name == null || loader == null || !isCandidate(name)) {
      return null;
    }
    try {
      return rewrite(name, original, resolver(loader));
    } catch (Rewriting.MissingSiteException | RuntimeException | Error e) {
      log.log(
          System.Logger.Level.ERROR,
          "this Netty: "
              + (e instanceof Rewriting.MissingSiteException ? e.getMessage() : name + ": " + e)
              + ": the agent does not fit it, so the server is stopped: use Netty 4.1 or 4.2, the NIO"
              + " transport, or a newer agent");
      stop.run();
      return null;
    }
  }

  private static boolean isCandidate(String name) {
    return name.endsWith(SOCKET) || name.endsWith(DESCRIPTOR) || name.endsWith(EPOLL_SOCKET);
  }

  /** Null when the class is not what its name makes believe. */
  static byte @Nullable [] rewrite(String name, byte[] original, ClassHierarchyResolver resolver)
      throws Rewriting.MissingSiteException {
    ClassModel model = ClassFile.of().parse(original);
    ClassDesc self = model.thisClass().asSymbol();
    if (!hasNativeMethods(model) && !name.endsWith(EPOLL_SOCKET)) {
      return null;
    }
    Rewriting rewriting = new Rewriting();
    if (name.endsWith(SOCKET)) {
      socket(rewriting, self);
    } else if (name.endsWith(DESCRIPTOR)) {
      rewriting.atStart(
          "close",
          "()V",
          code ->
              number(code, self)
                  .invokestatic(
                      HookClass.NAME,
                      "nettyClosing",
                      MethodTypeDesc.of(ConstantDescs.CD_void, ConstantDescs.CD_int)));
    }
    if (!name.endsWith(DESCRIPTOR)) {
      rewriting.afterInAccessors(NettyRewriting::readsDescriptor, NettyRewriting::optionTarget);
    }
    return rewriting.apply(original, resolver);
  }

  private static boolean hasNativeMethods(ClassModel model) {
    return model.methods().stream()
        .anyMatch(method -> (method.flags().flagsMask() & ClassFile.ACC_NATIVE) != 0);
  }

  private static void socket(Rewriting rewriting, ClassDesc self) {
    rewriting
        .atStart(
            "bind",
            "(Ljava/net/SocketAddress;)V",
            code -> {
              code.aload(0);
              number(code, self)
                  .aload(1)
                  .invokestatic(
                      HookClass.NAME,
                      "nettyBind",
                      MethodTypeDesc.of(
                          ConstantDescs.CD_boolean,
                          ConstantDescs.CD_Object,
                          ConstantDescs.CD_int,
                          SOCKET_ADDRESS))
                  .ifThen(CodeBuilder::return_);
            })
        .atStart(
            "listen",
            "(I)V",
            code ->
                number(code, self)
                    .iload(1)
                    .invokestatic(
                        HookClass.NAME,
                        "nettyListen",
                        MethodTypeDesc.of(
                            ConstantDescs.CD_boolean, ConstantDescs.CD_int, ConstantDescs.CD_int))
                    .ifThen(CodeBuilder::return_))
        .atStart(
            "accept",
            "([B)I",
            code ->
                number(code, self)
                    .aload(1)
                    .invokestatic(
                        HookClass.NAME,
                        "nettyAccept",
                        MethodTypeDesc.of(ConstantDescs.CD_int, ConstantDescs.CD_int, BYTES))
                    .dup()
                    .loadConstant(Hooks.NETTY_NOT_CAPTURED)
                    .ifThenElse(Opcode.IF_ICMPNE, CodeBuilder::ireturn, CodeBuilder::pop))
        .atStart(
            "localAddress",
            "()Ljava/net/InetSocketAddress;",
            code ->
                number(code, self)
                    .invokestatic(
                        HookClass.NAME,
                        "nettyLocalAddress",
                        MethodTypeDesc.of(INET_SOCKET_ADDRESS, ConstantDescs.CD_int))
                    .dup()
                    .ifThenElse(Opcode.IFNONNULL, CodeBuilder::areturn, CodeBuilder::pop));
  }

  private static CodeBuilder number(CodeBuilder code, ClassDesc self) {
    return code.aload(0).invokevirtual(self, "intValue", NUMBER);
  }

  /** {@code this.fd} or {@code this.intValue()}, which options are set and asked by. */
  private static boolean readsDescriptor(CodeElement element) {
    return switch (element) {
      case FieldInstruction field ->
          field.opcode() == Opcode.GETFIELD
              && field.name().equalsString("fd")
              && field.type().equalsString("I");
      case InvokeInstruction invoke ->
          invoke.name().equalsString("intValue") && invoke.type().equalsString("()I");
      default -> false;
    };
  }

  private static void optionTarget(CodeBuilder code) {
    code.invokestatic(
        HookClass.NAME,
        "nettyOptionTarget",
        MethodTypeDesc.of(ConstantDescs.CD_int, ConstantDescs.CD_int));
  }

  private static ClassHierarchyResolver resolver(ClassLoader loader) {
    return ClassHierarchyResolver.defaultResolver()
        .orElse(ClassHierarchyResolver.ofResourceParsing(loader));
  }
}
