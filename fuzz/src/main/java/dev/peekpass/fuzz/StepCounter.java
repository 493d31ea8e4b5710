package dev.peekpass.fuzz;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.CodeElement;
import java.lang.classfile.CodeTransform;
import java.lang.classfile.instruction.BranchInstruction;
import java.lang.classfile.instruction.InvokeInstruction;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import org.jspecify.annotations.Nullable;

/**
 * Loads copies of the parsers that count their steps: every branch and every call adds one to
 * {@link Steps#count}. So their work is known exactly, and the same on every machine.
 */
final class StepCounter extends ClassLoader {
  private static final ClassDesc STEPS = ClassDesc.of("dev.peekpass.fuzz.Steps");
  private static final String COUNTED = "dev.peekpass.wire.";

  private final String driver;

  /**
   * A loader.
   *
   * @param driver the class that uses the counting copies, loaded by this loader too
   */
  StepCounter(String driver) {
    super(StepCounter.class.getClassLoader());
    this.driver = driver;
  }

  @Override
  protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
    synchronized (getClassLoadingLock(name)) {
      boolean counted = name.startsWith(COUNTED);
      if (!counted && !name.equals(driver)) {
        return super.loadClass(name, resolve);
      }
      Class<?> loaded = findLoadedClass(name);
      if (loaded != null) {
        return loaded;
      }
      byte @Nullable [] bytes = read(name);
      if (bytes == null) {
        throw new ClassNotFoundException(name);
      }
      byte[] code = counted ? counting(bytes) : bytes;
      return defineClass(name, code, 0, code.length);
    }
  }

  private byte @Nullable [] read(String name) {
    try (InputStream in = getParent().getResourceAsStream(name.replace('.', '/') + ".class")) {
      return in == null ? null : in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static byte[] counting(byte[] bytes) {
    ClassFile classFile = ClassFile.of();
    ClassModel model = classFile.parse(bytes);
    CodeTransform count = StepCounter::count;
    return classFile.transformClass(model, ClassTransform.transformingMethodBodies(count));
  }

  private static void count(CodeBuilder code, CodeElement element) {
    if (element instanceof BranchInstruction || element instanceof InvokeInstruction) {
      code.getstatic(STEPS, "count", ConstantDescs.CD_long)
          .lconst_1()
          .ladd()
          .putstatic(STEPS, "count", ConstantDescs.CD_long);
    }
    code.with(element);
  }
}
