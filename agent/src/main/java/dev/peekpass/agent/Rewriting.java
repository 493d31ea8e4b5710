package dev.peekpass.agent;

import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassHierarchyResolver;
import java.lang.classfile.ClassModel;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.CodeElement;
import java.lang.classfile.CodeModel;
import java.lang.classfile.CodeTransform;
import java.lang.classfile.MethodModel;
import java.lang.classfile.instruction.InvokeInstruction;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Predicate;

/** What is rewritten in one class: some calls, and the beginnings of some methods. */
final class Rewriting {
  static final String REMEDY =
      "this agent does not fit it, so nothing was started: use a JDK 25, or a newer agent";

  /**
   * Something that a class must have.
   *
   * @param method the name of the method in which it is looked for
   * @param descriptor of that method, or an empty string for any
   * @param call the name of the method that is called there, with its class as in {@code
   *     sun/nio/ch/Net.listen}; an empty string when it is the method itself that must be there
   */
  private record Site(String method, String descriptor, String call) {
    @Override
    public String toString() {
      return call.isEmpty()
          ? "method " + method + descriptor
          : "call of " + call.replace('/', '.') + " in its method " + method;
    }
  }

  private final Set<Site> required = new HashSet<>();
  private final List<Call> calls = new ArrayList<>();
  private final List<Entry> entries = new ArrayList<>();
  private final List<After> inAccessors = new ArrayList<>();

  /**
   * A call that is rewritten.
   *
   * @param before code that goes before it
   * @param more the types of the arguments that {@code before} pushes for the hook
   * @param replaced whether the hook of the same name stands in its place
   */
  private record Call(
      String owner,
      String name,
      Consumer<CodeBuilder> before,
      List<ClassDesc> more,
      boolean replaced) {

    boolean isMadeBy(InvokeInstruction invoke) {
      return invoke.name().equalsString(name) && invoke.owner().name().equalsString(owner);
    }
  }

  private record After(Predicate<CodeElement> which, Consumer<CodeBuilder> code) {}

  private record Entry(String method, String descriptor, Consumer<CodeBuilder> code) {
    boolean isOf(String methodName, String methodDescriptor) {
      return method.equals(methodName) && descriptor.equals(methodDescriptor);
    }
  }

  /**
   * Sends every call of a static method to the hook of the same name and parameters.
   *
   * @param owner the class of the called method, with slashes
   * @param in the methods that are known to have such a call, each of which must
   */
  Rewriting replace(String owner, String name, String... in) {
    return replace(owner, name, code -> {}, List.of(), in);
  }

  /** As above, with more arguments for the hook, which {@code before} pushes. */
  Rewriting replace(
      String owner, String name, Consumer<CodeBuilder> before, List<ClassDesc> more, String... in) {
    calls.add(new Call(owner, name, before, more, true));
    for (String method : in) {
      required.add(new Site(method, "", owner + "." + name));
    }
    return this;
  }

  /** Puts code before every call of a method, whose arguments are on the stack by then. */
  Rewriting before(String owner, String name, Consumer<CodeBuilder> code) {
    calls.add(new Call(owner, name, code, List.of(), false));
    return this;
  }

  /**
   * Puts code after every instruction of a kind in methods whose names begin with get, set or is.
   * None is required.
   */
  Rewriting afterInAccessors(Predicate<CodeElement> which, Consumer<CodeBuilder> code) {
    inAccessors.add(new After(which, code));
    return this;
  }

  /** Puts code at the beginning of a method, which must be there. */
  Rewriting atStart(String method, String descriptor, Consumer<CodeBuilder> code) {
    entries.add(new Entry(method, descriptor, code));
    required.add(new Site(method, descriptor, ""));
    return this;
  }

  /**
   * Rewrites a class.
   *
   * @param resolver knows the classes that the code names
   * @throws MissingSiteException when something required is not there
   */
  byte[] apply(byte[] original, ClassHierarchyResolver resolver) throws MissingSiteException {
    ClassFile classFile = ClassFile.of(ClassFile.ClassHierarchyResolverOption.of(resolver));
    ClassModel model = classFile.parse(original);
    Set<Site> missing = new HashSet<>(required);
    byte[] rewritten =
        classFile.transformClass(
            model,
            ClassTransform.transformingMethods((method, element) -> {
              if (element instanceof CodeModel code && concerns(code)) {
                MethodModel in = code.parent().orElseThrow();
                method.transformCode(code, new OneMethod(in, missing));
              } else {
                method.with(element);
              }
            }));
    if (!missing.isEmpty()) {
      String name = model.thisClass().asInternalName().replace('/', '.');
      throw new MissingSiteException(
          name + " has no " + missing.stream().map(Site::toString).sorted().findFirst().orElse(""));
    }
    return rewritten;
  }

  /**
   * Whether anything in a method is rewritten. The others are copied as they are, which is fast.
   */
  private boolean concerns(CodeModel code) {
    MethodModel method = code.parent().orElseThrow();
    String name = method.methodName().stringValue();
    if (!inAccessors.isEmpty() && isAccessor(name)) {
      return true;
    }
    for (Entry entry : entries) {
      if (entry.isOf(name, method.methodType().stringValue())) {
        return true;
      }
    }
    if (calls.isEmpty()) {
      return false;
    }
    for (CodeElement element : code) {
      if (element instanceof InvokeInstruction invoke) {
        for (Call call : calls) {
          if (call.isMadeBy(invoke)) {
            return true;
          }
        }
      }
    }
    return false;
  }

  private static boolean isAccessor(String method) {
    return method.startsWith("get") || method.startsWith("set") || method.startsWith("is");
  }

  /** A class is not as it must be to be rewritten. */
  static final class MissingSiteException extends Exception {
    private static final long serialVersionUID = 1L;

    MissingSiteException(String message) {
      super(message);
    }
  }

  private final class OneMethod implements CodeTransform {
    private final String name;
    private final String descriptor;
    private final Set<Site> missing;

    OneMethod(MethodModel method, Set<Site> missing) {
      name = method.methodName().stringValue();
      descriptor = method.methodType().stringValue();
      this.missing = missing;
    }

    @Override
    public void atStart(CodeBuilder builder) {
      for (Entry entry : entries) {
        if (entry.isOf(name, descriptor)) {
          entry.code().accept(builder);
          missing.remove(new Site(name, descriptor, ""));
        }
      }
    }

    @Override
    public void accept(CodeBuilder builder, CodeElement element) {
      if (element instanceof InvokeInstruction invoke && rewrite(builder, invoke)) {
        return;
      }
      builder.with(element);
      if (isAccessor(name)) {
        for (After after : inAccessors) {
          if (after.which().test(element)) {
            after.code().accept(builder);
          }
        }
      }
    }

    /** Whether something else now stands in its place. */
    private boolean rewrite(CodeBuilder builder, InvokeInstruction invoke) {
      for (Call call : calls) {
        if (call.isMadeBy(invoke)) {
          missing.remove(new Site(name, "", call.owner() + "." + call.name()));
          call.before().accept(builder);
          if (call.replaced()) {
            MethodTypeDesc type = invoke.typeSymbol();
            builder.invokestatic(
                HookClass.NAME,
                call.name(),
                type.insertParameterTypes(
                    type.parameterCount(), call.more().toArray(ClassDesc[]::new)));
            return true;
          }
        }
      }
      return false;
    }
  }
}
