package dev.peekpass.cli;

/** Where the JVM begins. */
public final class Main {
  private Main() {}

  /**
   * Runs the command and ends the JVM with its exit code.
   *
   * @param arguments as typed
   */
  public static void main(String[] arguments) {
    System.exit(Peekpass.commandLine().execute(arguments));
  }
}
