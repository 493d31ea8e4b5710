package dev.peekpass.agent;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import java.lang.instrument.Instrumentation;
import java.lang.reflect.Method;
import java.nio.channels.Channel;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Puts the agent into a JVM that is starting. */
public final class Agent {
  private Agent() {}

  /**
   * Starts the agent, before the server's main.
   *
   * @param options from the command line, or null
   * @throws IllegalArgumentException when the options are wrong; the message says how
   * @throws IllegalStateException when this JDK is not as the agent knows it; the message names
   *     what is missing
   */
  public static void start(@Nullable String options, Instrumentation instrumentation)
      throws ReflectiveOperationException {
    List<Pair> pairs = OptionsReader.read(options, System.getenv(OptionsReader.VARIABLE));
    open(instrumentation);
    warmUp();
    System.Logger log = new StandardErrorLog();
    Hooks.install(pairs, JdkAccess.resolve(), log);
    HookClass.define();
    JdkRewriting.apply(instrumentation);
    instrumentation.addTransformer(
        new NettyRewriting(log, () -> Runtime.getRuntime().halt(1)), false);
  }

  /**
   * Links the system calls beside the start, not in the middle of the server's first bind: a third
   * of what the agent costs at start-up.
   */
  private static void warmUp() {
    Thread.ofPlatform()
        .daemon()
        .name("peekpass-agent warm-up")
        .start(() -> LinuxKernel.open().fcntl(Fd.of(0), Linux.F_GETFL, 0));
  }

  /** Opens to the agent's modules, and to nobody else, what they need of java.base. */
  private static void open(Instrumentation instrumentation) throws ReflectiveOperationException {
    Module base = Object.class.getModule();
    Module self = Agent.class.getModule();
    instrumentation.redefineModule(
        base,
        Set.of(),
        Map.of(),
        Map.of(
            Module.class.getPackageName(),
            Set.of(self),
            Channel.class.getPackageName(),
            Set.of(self),
            "sun.nio.ch",
            Set.of(self)),
        Set.of(),
        Map.of());
    // What ModuleLayer.Controller.enableNativeAccess does, which only those may call who have it.
    Method enable = Module.class.getDeclaredMethod("implAddEnableNativeAccess");
    enable.setAccessible(true);
    enable.invoke(dev.peekpass.linux.Kernel.class.getModule());
  }
}
