package dev.peekpass.agent.launch;

import java.io.IOException;
import java.lang.instrument.Instrumentation;
import java.lang.module.Configuration;
import java.lang.module.ModuleFinder;
import java.lang.reflect.InvocationTargetException;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What the JVM calls before the server's main. Loads the agent's modules into a layer of their own
 * and starts them.
 */
public final class Premain {
  private static final int LEAST_JAVA = 25;
  private static final String MODULE = "dev.peekpass.agent";

  private Premain() {}

  /**
   * Starts the agent, or says why not and ends the JVM: a server that silently listens elsewhere
   * would be worse.
   *
   * @param options what stands behind {@code =} on the command line
   */
  public static void premain(@Nullable String options, Instrumentation instrumentation) {
    int feature = Runtime.version().feature();
    if (feature < LEAST_JAVA) {
      refuse(
          "this is Java "
              + Runtime.version()
              + ", and the agent needs "
              + LEAST_JAVA
              + " or newer: start the server with a JDK "
              + LEAST_JAVA
              + ", or without the agent");
    }
    try {
      start(options, instrumentation);
    } catch (InvocationTargetException e) {
      Throwable cause = e.getCause();
      if (cause instanceof IllegalArgumentException || cause instanceof IllegalStateException) {
        refuse(String.valueOf(cause.getMessage()));
      }
      fail(cause == null ? e : cause);
    } catch (ReflectiveOperationException
        | IOException
        | URISyntaxException
        | RuntimeException
        | LinkageError e) {
      fail(e);
    }
  }

  private static void start(@Nullable String options, Instrumentation instrumentation)
      throws ReflectiveOperationException, IOException, URISyntaxException {
    Path jar = Path.of(Premain.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    ModuleLayer boot = ModuleLayer.boot();
    // Its own modules first, whatever the server has of the same names.
    Configuration configuration =
        boot.configuration().resolve(new JarModules(jar), ModuleFinder.of(), Set.of(MODULE));
    ModuleLayer layer =
        ModuleLayer.defineModulesWithOneLoader(
                configuration, List.of(boot), ClassLoader.getPlatformClassLoader())
            .layer();
    layer
        .findLoader(MODULE)
        .loadClass(MODULE + ".Agent")
        .getMethod("start", String.class, Instrumentation.class)
        .invoke(null, options, instrumentation);
  }

  private static void refuse(String why) {
    System.err.println("peekpass-agent: " + why);
    System.exit(1);
  }

  private static void fail(Throwable cause) {
    System.err.println("peekpass-agent: failed to start, which is a fault of its own:");
    cause.printStackTrace();
    System.exit(1);
  }

  /** Says how to use the jar, to whoever starts it like a program. */
  public static void main(String[] arguments) {
    System.err.println(
        "peekpass-agent: not a program. Start a server with it:\n"
            + "  java -javaagent:peekpass-agent.jar=0.0.0.0:8443=unix:/run/app.sock -jar server.jar");
    System.exit(2);
  }
}
