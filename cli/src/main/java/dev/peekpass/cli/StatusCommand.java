package dev.peekpass.cli;

import java.io.PrintWriter;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code status}: what a running proxy is doing. */
@Command(
    name = "status",
    description = "Says what the running proxy is doing: listeners, backends, connections.",
    mixinStandardHelpOptions = true,
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:the proxy has answered",
      "2:the arguments are wrong",
      "3:no proxy could be asked"
    })
final class StatusCommand implements Callable<Integer> {
  private static final String NO_CAPABILITIES = "0".repeat(16);

  @Spec private CommandSpec spec = CommandSpec.create();
  @Mixin private AdminOptions options = new AdminOptions();

  @Option(names = "--json", description = "Prints one JSON object, described in the manual.")
  private boolean json;

  StatusCommand() {}

  /** Asks and prints. */
  @Override
  public Integer call() {
    PrintWriter out = spec.commandLine().getOut();
    return AdminRequest.run(
        spec,
        options,
        "status",
        (text, answer) -> {
          if (json) {
            out.println(text);
          } else {
            print(out, answer);
          }
        });
  }

  /** As people read it. */
  static void print(PrintWriter out, Map<String, Object> status) {
    out.printf(
        "Peekpass %s, process %s, %s, since %s; it keeps track of %s%n",
        status.get("version"),
        status.get("pid"),
        count(status.get("threads"), "thread"),
        status.get("started"),
        count(status.get("clients"), "client"));
    out.printf(
        "configuration %s of %s, %s%n",
        status.get("configuration"), status.get("loaded"), count(status.get("reloads"), "reload"));
    if (status.get("confinement") instanceof Map<?, ?> confinement) {
      confinement(out, confinement);
    }
    out.println();
    for (Map<?, ?> listener : objects(status, "listeners")) {
      out.printf(
          "listener %-24s %-9s queued %s, pending %s of %s%s%n",
          listener.get("address"),
          listener.get("state"),
          listener.get("queued"),
          listener.get("pending"),
          count(listener.get("clients"), "client"),
          turnedAway(listener));
    }
    for (Map<?, ?> backend : objects(status, "backends")) {
      out.printf(
          "backend  %-24s %-9s passed %s, waiting %s%n",
          backend.get("name"), backend.get("state"), backend.get("passed"), backend.get("waiting"));
      for (Map<?, ?> socket : objects(backend, "sockets")) {
        out.printf(
            "         %-24s %-9s passed %s, unsettled %s%s%s%s%n",
            socket.get("handoff"),
            socket.get("state"),
            socket.get("passed"),
            socket.get("unsettled"),
            socket.containsKey("load") ? ", load " + socket.get("load") : "",
            Long.valueOf(1000).equals(socket.get("share")) ? "" : ", share " + socket.get("share"),
            socket.containsKey("reason") ? ", " + socket.get("reason") : "");
      }
    }
    for (Map<?, ?> stall : objects(status, "stalls")) {
      out.printf(
          "%s %s for %s ms in %s%n",
          stall.get("thread"),
          Boolean.TRUE.equals(stall.get("over")) ? "stood still" : "stands still",
          stall.get("millis"),
          stall.get("call"));
    }
    out.println();
    numbers(out, status, "outcomes");
    numbers(out, status, "counters");
  }

  /** One line, and one for each of what is missing. */
  private static void confinement(PrintWriter out, Map<?, ?> confinement) {
    String ports =
        confinement.get("ports") instanceof List<?> list
            ? ", ports " + list.stream().map(String::valueOf).collect(Collectors.joining(" "))
            : "";
    out.printf(
        "confinement %s: uid %s, capabilities %s, system calls %s in %s of %s, Landlock %s%s%n",
        confinement.get("mode"),
        confinement.get("uid"),
        NO_CAPABILITIES.equals(confinement.get("capabilities"))
            ? "none"
            : confinement.get("capabilities"),
        confinement.get("calls"),
        confinement.get("filtered"),
        count(confinement.get("threads"), "thread"),
        Long.valueOf(0).equals(confinement.get("landlock")) ? "none" : confinement.get("landlock"),
        ports);
    if (confinement.get("paths") instanceof List<?> paths && !paths.isEmpty()) {
      out.printf(
          "confinement: files of the configuration: %s%n",
          paths.stream().map(String::valueOf).collect(Collectors.joining(" ")));
    }
    if (confinement.get("lacks") instanceof List<?> lacks) {
      lacks.forEach(lack -> out.printf("confinement: %s%n", lack));
    }
  }

  private static String count(@Nullable Object number, String noun) {
    return number + " " + noun + (Long.valueOf(1).equals(number) ? "" : "s");
  }

  private static List<Map<?, ?>> objects(Map<?, ?> parent, String name) {
    return parent.get(name) instanceof List<?> list
        ? list.stream().<Map<?, ?>>map(item -> (Map<?, ?>) item).toList()
        : List.of();
  }

  /** How many were turned away when they were accepted, and why, where any was. */
  private static String turnedAway(Map<?, ?> listener) {
    StringBuilder text = new StringBuilder();
    for (String why :
        List.of("denied", "max-pending-per-client-reached", "max-new-per-client-reached")) {
      Object number = listener.get(why);
      if (number != null && !number.equals(0L)) {
        text.append(", ").append(why).append(' ').append(number);
      }
    }
    return text.toString();
  }

  /** Those that are not zero. */
  private static void numbers(PrintWriter out, Map<String, Object> status, String name) {
    if (status.get(name) instanceof Map<?, ?> numbers) {
      numbers.forEach((key, value) -> {
        if (!value.equals(0L)) {
          out.printf("%-28s %s%n", key, value);
        }
      });
    }
  }
}
