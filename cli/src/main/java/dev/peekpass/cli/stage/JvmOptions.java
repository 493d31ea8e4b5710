package dev.peekpass.cli.stage;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * Options of the JVM that ask for what a confined one cannot do: write a file, listen, start a
 * program. The JVM would end with words of its own, or say nothing and not do it.
 */
final class JvmOptions {
  /** Options of everybody who starts a JVM, in the environment. */
  private static final Set<String> VARIABLES =
      Set.of("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS");

  private static final Set<String> MAIN = Set.of("-m", "--module", "-jar");
  private static final Set<String> STANDARD = Set.of("", "stdout", "stderr", "#0", "#1");
  private static final int MAX_FILE_BYTES = 1 << 16;

  private static final String NO_FILE =
      "the JVM would write a file, and a confined proxy may make none anywhere";
  private static final String NO_PORT =
      "the JVM would listen or connect for it, and a confined proxy may bind the configuration's"
          + " ports only";
  private static final String LEAVE = "leave it out";

  /** What an option asks for, as far as that is forbidden. */
  private record Rule(List<String> beginnings, boolean fatal, String why, String remedy) {
    boolean has(String option) {
      return beginnings.stream().anyMatch(option::startsWith);
    }
  }

  private static final List<Rule> RULES =
      List.of(
          new Rule(
              List.of("-Xloggc:", "-XX:+LogVMOutput", "-XX:LogFile=", "-XX:+LogCompilation"),
              true,
              NO_FILE,
              "write -Xlog:…:stderr"),
          new Rule(
              List.of("-XX:StartFlightRecording"),
              true,
              "a recording is written to files, and a confined proxy may make none anywhere",
              LEAVE),
          new Rule(
              List.of(
                  "-XX:AOTCacheOutput=",
                  "-XX:AOTMode=record",
                  "-XX:AOTMode=create",
                  "-XX:ArchiveClassesAtExit=",
                  "-XX:+AutoCreateSharedArchive",
                  "-XX:DumpLoadedClassList="),
              true,
              "the JVM would write a file, and start another JVM to do so, which a confined proxy"
                  + " may not",
              "leave it out (peekpass aot-cache makes such a cache)"),
          new Rule(List.of("-Dcom.sun.management.jmxremote"), true, NO_PORT, LEAVE),
          new Rule(List.of("-agentlib:jdwp", "-Xrunjdwp"), true, NO_PORT, LEAVE),
          new Rule(
              List.of("-XX:+HeapDump", "-XX:HeapDumpPath="),
              false,
              "no heap will be dumped: a confined proxy may make no file anywhere",
              LEAVE),
          new Rule(
              List.of("-XX:ErrorFile="),
              false,
              "no report of a crash will be there: a confined proxy may make no file anywhere",
              "leave it out, and it goes to standard error"),
          new Rule(
              List.of("-XX:OnError=", "-XX:OnOutOfMemoryError="),
              false,
              "it will not be started: a confined proxy may start no program",
              LEAVE),
          new Rule(
              List.of("-javaagent:", "-agentlib:", "-agentpath:", "-Xrun"),
              false,
              "the agent is confined, too: files and ports of its own it cannot have, nor system"
                  + " calls that the proxy does without",
              "try it"));

  /**
   * What was found.
   *
   * @param fatal whether the JVM would not start, or the option would be for nothing
   * @param sentence the option, what is forbidden, and the remedy
   */
  record Finding(boolean fatal, String sentence) {}

  private JvmOptions() {}

  /**
   * Finds them.
   *
   * @param arguments of this JVM, the program first
   * @param environment {@code NAME=VALUE} each
   */
  static List<Finding> find(List<String> arguments, List<String> environment) {
    List<String> options = new ArrayList<>();
    for (String argument : arguments.subList(Math.min(1, arguments.size()), arguments.size())) {
      if (MAIN.contains(argument) || argument.startsWith("--module=")) {
        break;
      }
      add(options, argument, true);
    }
    for (String variable : environment) {
      int equals = variable.indexOf('=');
      if (equals > 0 && VARIABLES.contains(variable.substring(0, equals))) {
        // That one is the launcher's, the others are the JVM's own.
        boolean expands = variable.startsWith("JDK_JAVA_OPTIONS=");
        for (String option : OptionWords.of(variable.substring(equals + 1))) {
          add(options, option, expands);
        }
      }
    }
    List<Finding> findings = new ArrayList<>();
    for (String option : options) {
      if (logsToFile(option)) {
        findings.add(finding(true, option, NO_FILE, "write -Xlog:…:stderr"));
        continue;
      }
      for (Rule rule : RULES) {
        if (rule.has(option)) {
          findings.add(finding(rule.fatal(), option, rule.why(), rule.remedy()));
          break;
        }
      }
    }
    return findings;
  }

  private static Finding finding(boolean fatal, String option, String why, String remedy) {
    return new Finding(
        fatal,
        "JVM option %s: %s: %s, or write confinement: audit or off into the configuration"
            .formatted(option, why, remedy));
  }

  /**
   * An option, or those of a file that stands for some.
   *
   * @param expands whether {@code @FILE} does
   */
  private static void add(List<String> options, String option, boolean expands) {
    String files = "-XX:VMOptionsFile=";
    boolean listed = option.startsWith(files);
    if (!listed && !(expands && option.startsWith("@"))) {
      options.add(option);
      return;
    }
    Path file = Path.of(option.substring(listed ? files.length() : 1));
    try {
      if (Files.isRegularFile(file) && Files.size(file) <= MAX_FILE_BYTES) {
        String text = new String(Files.readAllBytes(file), ISO_8859_1);
        options.addAll(listed ? OptionWords.of(text) : OptionWords.ofArgumentFile(text));
      }
    } catch (IOException e) {
      // Then the JVM has not read it either, or it was removed since.
    }
  }

  /** Whether it is -Xlog:WHAT:OUTPUT:… with an output that is a file. */
  private static boolean logsToFile(String option) {
    String begin = "-Xlog:";
    if (!option.startsWith(begin)) {
      return false;
    }
    String[] parts = option.substring(begin.length()).split(":", 3);
    // -Xlog:async:stall is how to log, and not what or where.
    return parts.length > 1 && !parts[0].equals("async") && !STANDARD.contains(parts[1]);
  }
}
