package dev.peekpass.cli;

import org.jspecify.annotations.Nullable;

/** Where the JVM begins. */
public final class Main {
  private Main() {}

  /**
   * Runs the command and ends the JVM with its exit code.
   *
   * @param arguments as typed
   */
  public static void main(String[] arguments) {
    System.exit(execute(arguments));
  }

  /**
   * Runs the command and returns its exit code.
   *
   * <p>{@code run -c FILE} goes without picocli, which takes as long as all else that such a start
   * does: an AOT cache cannot hold its classes, which are of the class file format of Java 5.
   */
  static int execute(String[] arguments) {
    @Nullable String file = onlyConfiguration(arguments);
    return file == null
        ? Peekpass.commandLine(arguments).execute(arguments)
        : new RunCommand(file).execute();
  }

  /** FILE of {@code run -c FILE}; null when the arguments are others, or picocli's to interpret. */
  private static @Nullable String onlyConfiguration(String[] arguments) {
    boolean only =
        arguments.length == 3
            && arguments[0].equals("run")
            && (arguments[1].equals("-c") || arguments[1].equals("--config"))
            && !arguments[2].isEmpty()
            && "-@".indexOf(arguments[2].charAt(0)) < 0;
    return only ? arguments[2] : null;
  }
}
