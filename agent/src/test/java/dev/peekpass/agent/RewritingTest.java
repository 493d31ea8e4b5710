package dev.peekpass.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassHierarchyResolver;
import java.lang.classfile.ClassModel;
import java.lang.classfile.CodeElement;
import java.lang.classfile.MethodModel;
import java.lang.classfile.instruction.InvokeInstruction;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class RewritingTest {
  private static final List<String> REPLACED = List.of("bind", "listen", "accept", "localAddress");

  static List<String> classes() {
    return List.copyOf(JdkRewriting.rewritings().keySet());
  }

  private static byte[] original(String name) throws IOException {
    try (InputStream in = Object.class.getResourceAsStream("/" + name + ".class")) {
      assertThat(in).isNotNull();
      return in.readAllBytes();
    }
  }

  private static Rewriting rewriting(String name) {
    return Objects.requireNonNull(JdkRewriting.rewritings().get(name));
  }

  private static byte[] rewrite(String name) throws Exception {
    return rewriting(name).apply(original(name), ClassHierarchyResolver.defaultResolver());
  }

  private static List<String> calls(byte[] bytes, String owner) {
    List<String> calls = new ArrayList<>();
    ClassModel model = ClassFile.of().parse(bytes);
    for (MethodModel method : model.methods()) {
      method
          .code()
          .ifPresent(code -> {
            for (CodeElement element : code) {
              if (element instanceof InvokeInstruction invoke
                  && invoke.owner().asInternalName().equals(owner)) {
                calls.add(invoke.name().stringValue());
              }
            }
          });
    }
    return calls;
  }

  @ParameterizedTest
  @MethodSource("classes")
  void whatIsRewrittenIsValidAndHasNoOtherWayIn(String name) throws Exception {
    byte[] rewritten = rewrite(name);

    assertThat(ClassFile.of().verify(rewritten)).isEmpty();
    assertThat(calls(rewritten, "java/nio/channels/PeekpassAgent")).isNotEmpty();
    boolean listens = name.contains("Server") || name.endsWith("/NioSocketImpl");
    if (listens) {
      assertThat(calls(rewritten, "sun/nio/ch/Net")).doesNotContainAnyElementsOf(REPLACED);
    }
  }

  @ParameterizedTest
  @MethodSource("classes")
  void methodsThatAreNotConcernedAreCopiedAsTheyAre(String name) throws Exception {
    int before = ClassFile.of().parse(original(name)).methods().size();

    assertThat(ClassFile.of().parse(rewrite(name)).methods()).hasSize(before);
  }

  @ParameterizedTest
  @MethodSource("classes")
  void anotherClassHasNothingOfIt(String name) throws Exception {
    byte[] other = original("java/lang/Object");
    Rewriting rewriting = rewriting(name);

    assertThatThrownBy(() -> rewriting.apply(other, ClassHierarchyResolver.defaultResolver()))
        .isInstanceOf(Rewriting.MissingSiteException.class)
        .hasMessageStartingWith("java.lang.Object has no ");
  }
}
