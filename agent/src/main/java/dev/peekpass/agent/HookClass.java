package dev.peekpass.agent;

import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.TypeKind;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.List;

/**
 * Makes the class that rewritten code calls. It has to be one that every class can see: those of
 * java.base, which see nothing but java.base, and Netty's in whatever loader they are. A class in a
 * package {@code java.…} is, since every loader asks the boot loader for those.
 *
 * <pre>{@code
 * in java.base:    public abstract class java.nio.channels.PeekpassAgent
 *                    private static PeekpassAgent hooks
 *                    public static int accept(…)       calls hooks.accept$(…)
 *                    protected abstract int accept$(…)
 * in this module:  final class HookForwarder extends PeekpassAgent
 *                    protected int accept$(…)          calls Hooks.accept(…)
 * }</pre>
 *
 * <p>Nothing is put on the boot class path, which would cost the server the JVM's shared archive.
 */
final class HookClass {
  /** How rewritten code names it. */
  static final ClassDesc NAME = ClassDesc.of("java.nio.channels.PeekpassAgent");

  private static final ClassDesc FORWARDER = ClassDesc.of("dev.peekpass.agent.HookForwarder");
  private static final ClassDesc HOOKS = ClassDesc.of(Hooks.class.getName());
  private static final String FIELD = "hooks";

  private HookClass() {}

  /**
   * Defines it, ready to be called.
   *
   * @throws ReflectiveOperationException when java.base has not been opened to this module
   */
  static void define() throws ReflectiveOperationException {
    List<Method> hooks = new ArrayList<>();
    for (Method method : Hooks.class.getDeclaredMethods()) {
      if (Modifier.isPublic(method.getModifiers())) {
        hooks.add(method);
      }
    }
    MethodHandles.Lookup own = MethodHandles.lookup();
    Class<?> called =
        MethodHandles.privateLookupIn(java.nio.channels.Channel.class, own)
            .defineClass(calledClass(hooks));
    Class<?> forwarder = own.defineClass(forwarder(hooks));
    Field field = called.getDeclaredField(FIELD);
    field.setAccessible(true);
    field.set(null, forwarder.getDeclaredConstructor().newInstance());
  }

  private static byte[] calledClass(List<Method> hooks) {
    return ClassFile.of()
        .build(
            NAME,
            type -> {
              type.withFlags(
                  ClassFile.ACC_PUBLIC
                      | ClassFile.ACC_ABSTRACT
                      | ClassFile.ACC_SUPER
                      | ClassFile.ACC_SYNTHETIC);
              type.withField(FIELD, NAME, ClassFile.ACC_PRIVATE | ClassFile.ACC_STATIC);
              type.withMethodBody(
                  ConstantDescs.INIT_NAME,
                  ConstantDescs.MTD_void,
                  ClassFile.ACC_PROTECTED,
                  code -> constructor(code, ConstantDescs.CD_Object));
              for (Method hook : hooks) {
                MethodTypeDesc signature = signature(hook);
                type.withMethodBody(
                    hook.getName(),
                    signature,
                    ClassFile.ACC_PUBLIC | ClassFile.ACC_STATIC,
                    code -> {
                      code.getstatic(NAME, FIELD, NAME);
                      parameters(code, signature);
                      code.invokevirtual(NAME, instanceName(hook), signature);
                      code.return_(TypeKind.from(signature.returnType()));
                    });
                type.withMethod(
                    instanceName(hook),
                    signature,
                    ClassFile.ACC_PROTECTED | ClassFile.ACC_ABSTRACT,
                    method -> {});
              }
            });
  }

  private static byte[] forwarder(List<Method> hooks) {
    return ClassFile.of()
        .build(
            FORWARDER,
            type -> {
              type.withFlags(ClassFile.ACC_FINAL | ClassFile.ACC_SUPER | ClassFile.ACC_SYNTHETIC);
              type.withSuperclass(NAME);
              type.withMethodBody(
                  ConstantDescs.INIT_NAME,
                  ConstantDescs.MTD_void,
                  0,
                  code -> constructor(code, NAME));
              for (Method hook : hooks) {
                MethodTypeDesc signature = signature(hook);
                type.withMethodBody(
                    instanceName(hook),
                    signature,
                    ClassFile.ACC_PROTECTED,
                    code -> {
                      parameters(code, signature);
                      code.invokestatic(HOOKS, hook.getName(), signature);
                      code.return_(TypeKind.from(signature.returnType()));
                    });
              }
            });
  }

  private static void constructor(CodeBuilder code, ClassDesc superclass) {
    code.aload(0);
    code.invokespecial(superclass, ConstantDescs.INIT_NAME, ConstantDescs.MTD_void);
    code.return_();
  }

  private static void parameters(CodeBuilder code, MethodTypeDesc signature) {
    for (int i = 0; i < signature.parameterCount(); i++) {
      code.loadLocal(TypeKind.from(signature.parameterType(i)), code.parameterSlot(i));
    }
  }

  private static String instanceName(Method hook) {
    return hook.getName() + "$";
  }

  private static MethodTypeDesc signature(Method hook) {
    return MethodType.methodType(hook.getReturnType(), hook.getParameterTypes())
        .describeConstable()
        .orElseThrow();
  }
}
