package dev.peekpass.cli.process;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;

/**
 * The command line that starts another JVM like this one: the same java, module path or class path,
 * and flags.
 *
 * @param start everything before the main class or module
 * @param modular whether the main class is named with its module
 */
public record JavaCommand(List<String> start, boolean modular) {
  // Options of java(1) whose value is the next argument.
  private static final Set<String> WITH_VALUE =
      Set.of(
          "-p",
          "--module-path",
          "--upgrade-module-path",
          "--add-modules",
          "--limit-modules",
          "--enable-native-access",
          "--add-opens",
          "--add-exports",
          "--add-reads",
          "--patch-module");
  private static final Set<String> CLASS_PATH = Set.of("-cp", "-classpath", "--class-path");
  private static final Set<String> MAIN = Set.of("-m", "--module", "-jar");

  public JavaCommand {
    start = List.copyOf(start);
  }

  /** As this JVM was started. */
  public static JavaCommand current() throws IOException {
    // proc_pid_cmdline(5). RuntimeMXBean knows the flags too, but loading JMX takes longer than all
    // the rest, and it mixes in what the environment adds, which children inherit anyway.
    String line = Files.readString(Path.of("/proc/self/cmdline"), UTF_8);
    return of(
        Arrays.asList(line.split("\0", -1)),
        Path.of(System.getProperty("java.home"), "bin", "java"),
        System.getProperty("java.class.path", ""),
        JavaCommand.class.getModule().isNamed());
  }

  /**
   * From the parts.
   *
   * @param line the command line of a JVM
   * @param java the program to start
   * @param classPath what that JVM has for a class path, used unless {@code modular}
   */
  static JavaCommand of(List<String> line, Path java, String classPath, boolean modular) {
    List<String> start = new ArrayList<>();
    start.add(java.toString());
    for (int i = 1; i < line.size(); i++) {
      String argument = line.get(i);
      if (MAIN.contains(argument) || argument.startsWith("--module=") || !isOption(argument)) {
        break;
      }
      if (CLASS_PATH.contains(argument)) {
        i++;
      } else if (!argument.startsWith("--class-path=")) {
        start.add(argument);
        if (WITH_VALUE.contains(argument) && i + 1 < line.size()) {
          start.add(line.get(++i));
        }
      }
    }
    if (!modular) {
      start.addAll(List.of("-cp", classPath));
    }
    return new JavaCommand(start, modular);
  }

  /**
   * The command line for a main class, with its arguments.
   *
   * @param main the name of a class of this module
   */
  public List<String> run(String main, List<String> arguments) {
    List<String> command = new ArrayList<>(start);
    if (modular) {
      command.add("-m");
      command.add(JavaCommand.class.getModule().getName() + "/" + main);
    } else {
      command.add(main);
    }
    command.addAll(arguments);
    return command;
  }

  private static boolean isOption(String argument) {
    return argument.startsWith("-") || argument.startsWith("@");
  }
}
