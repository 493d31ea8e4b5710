package dev.peekpass.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.InputStream;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.MethodModel;
import java.lang.classfile.instruction.InvokeInstruction;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/**
 * The kernel gets addresses of memory that the garbage collector frees once the object that has it
 * is out of use, which may be while the call is under way. So each call keeps that object.
 */
class MemoryFenceTest {
  private static final Set<String> WITH_MEMORY =
      Set.of(
          "SockAddr",
          "EpollEvents",
          "NativeBuffer",
          "Message",
          "SocketFilter",
          "TcpInfo",
          "SharedWords");

  @Test
  void everyCallThatIsGivenMemoryKeepsItUntilItReturns() throws Exception {
    List<MethodModel> given = kernel().methods().stream().filter(m -> isGivenMemory(m)).toList();

    assertThat(given).hasSizeGreaterThan(10);
    assertThat(given)
        .allSatisfy(method ->
            assertThat(calls(method, "reachabilityFence"))
                .as(method.methodName().stringValue())
                .isTrue());
  }

  @Test
  void everyCallThatUsesTheScratchMemoryKeepsIt() throws Exception {
    List<MethodModel> using =
        kernel().methods().stream()
            .filter(m -> calls(m, "invokeExact") && calls(m, "address"))
            // Their memory is never freed.
            .filter(m -> !m.methodName().equalsString("memfdCreate"))
            .filter(m -> !m.methodName().equalsString("catchSignal"))
            // Its memory is freed by the method itself, after the call.
            .filter(m -> !m.methodName().equalsString("renameat2"))
            .filter(m -> !m.methodName().equalsString("unblockSignal"))
            .toList();

    assertThat(using).hasSizeGreaterThan(15);
    assertThat(using)
        .allSatisfy(method ->
            assertThat(calls(method, "reachabilityFence"))
                .as(method.methodName().stringValue())
                .isTrue());
  }

  private static ClassModel kernel() throws Exception {
    try (InputStream in = LinuxKernel.class.getResourceAsStream("LinuxKernel.class")) {
      assertThat(in).isNotNull();
      return ClassFile.of().parse(in.readAllBytes());
    }
  }

  private static boolean isGivenMemory(MethodModel method) {
    return calls(method, "invokeExact")
        && method.methodTypeSymbol().parameterList().stream()
            .anyMatch(type -> WITH_MEMORY.contains(type.displayName()));
  }

  private static boolean calls(MethodModel method, String name) {
    return method.code().stream()
        .flatMap(code -> code.elementStream())
        .anyMatch(
            element -> element instanceof InvokeInstruction call && call.name().equalsString(name));
  }
}
