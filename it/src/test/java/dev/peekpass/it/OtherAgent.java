package dev.peekpass.it;

import java.io.IOException;
import java.io.InputStream;
import java.lang.instrument.Instrumentation;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;

/** An agent of somebody else's, which has the JVM transform anew what this project's rewrites. */
public final class OtherAgent {
  private OtherAgent() {}

  /** Called by the JVM. */
  public static void premain(String options, Instrumentation instrumentation) throws Exception {
    try (ServerSocketChannel channel = ServerSocketChannel.open()) {
      instrumentation.retransformClasses(channel.getClass());
    }
    System.out.println("transformed");
  }

  /** Packs it. */
  static Path jar(Path dir) throws IOException {
    Manifest manifest = new Manifest();
    manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
    manifest.getMainAttributes().putValue("Premain-Class", OtherAgent.class.getName());
    manifest.getMainAttributes().putValue("Can-Retransform-Classes", "true");
    Path jar = dir.resolve("other-agent.jar");
    String file = OtherAgent.class.getName().replace('.', '/') + ".class";
    try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar), manifest);
        InputStream in = OtherAgent.class.getResourceAsStream("/" + file)) {
      out.putNextEntry(new JarEntry(file));
      in.transferTo(out);
      out.closeEntry();
    }
    return jar;
  }
}
