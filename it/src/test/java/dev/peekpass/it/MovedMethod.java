package dev.peekpass.it;

import java.io.IOException;
import java.io.InputStream;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.CodeModel;
import java.lang.classfile.CodeTransform;
import java.lang.classfile.MethodModel;
import java.lang.classfile.instruction.InvokeInstruction;
import java.nio.file.Files;
import java.nio.file.Path;

/** A class with a method under another name, as a later version of it could have. */
final class MovedMethod {
  private MovedMethod() {}

  /**
   * Writes it below a directory of its own, which it returns.
   *
   * @param type the class, with slashes
   */
  static Path patch(Path dir, String type, String method) throws IOException {
    String file = type + ".class";
    byte[] original;
    try (InputStream in = MovedMethod.class.getResourceAsStream("/" + file)) {
      original = in.readAllBytes();
    }
    Path patched = dir.resolve("patch").resolve(file);
    Files.createDirectories(patched.getParent());
    Files.write(patched, rename(original, type, method));
    return dir.resolve("patch");
  }

  private static byte[] rename(byte[] original, String owner, String method) {
    String moved = method + "2";
    ClassFile classFile = ClassFile.of();
    CodeTransform calls =
        (code, element) -> {
          if (element instanceof InvokeInstruction invoke
              && invoke.owner().asInternalName().equals(owner)
              && invoke.name().equalsString(method)) {
            code.invoke(
                invoke.opcode(), invoke.owner().asSymbol(), moved, invoke.typeSymbol(), false);
          } else {
            code.with(element);
          }
        };
    ClassTransform transform =
        (type, element) -> {
          if (element instanceof MethodModel model) {
            boolean named = model.methodName().equalsString(method);
            type.withMethod(
                named ? moved : model.methodName().stringValue(),
                model.methodTypeSymbol(),
                model.flags().flagsMask(),
                builder ->
                    model.forEach(part -> {
                      if (part instanceof CodeModel code) {
                        builder.transformCode(code, calls);
                      } else {
                        builder.with(part);
                      }
                    }));
          } else {
            type.with(element);
          }
        };
    return classFile.transformClass(classFile.parse(original), transform);
  }
}
