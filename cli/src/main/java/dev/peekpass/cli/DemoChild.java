package dev.peekpass.cli;

import java.io.IOException;
import java.io.InputStream;

/**
 * Where the processes of a demo begin: {@link Main}, but ending with the demo however that ends.
 * The demo holds the other end of their standard input, and the kernel closes it even for a process
 * that is killed.
 */
public final class DemoChild {
  private DemoChild() {}

  /**
   * Runs the command.
   *
   * @param arguments as for {@link Main}
   */
  public static void main(String[] arguments) {
    Thread.ofPlatform().daemon().name("parent").start(() -> endWith(System.in));
    Main.main(arguments);
  }

  private static void endWith(InputStream parent) {
    try {
      while (parent.read() >= 0) {}
    } catch (IOException e) {
      System.err.println("peekpass: lost the demo: " + e.getMessage());
    }
    System.exit(1);
  }
}
