package dev.peekpass.cli;

import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.proxy.admin.AdminClient;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiConsumer;
import picocli.CommandLine.Model.CommandSpec;

/** Sends a request to a running proxy and says what came of it. */
final class AdminRequest {
  private static final int REFUSED = 1;
  private static final int UNREACHABLE = 3;

  private AdminRequest() {}

  /**
   * Asks.
   *
   * @param done gets the answer, as it came and as a mapping, if it is a good one
   * @return the exit code: 0, 1 when the proxy refuses, 3 when it could not be asked
   */
  static int run(
      CommandSpec spec,
      AdminOptions options,
      String request,
      BiConsumer<String, Map<String, Object>> done) {
    PrintWriter err = spec.commandLine().getErr();
    Kernel kernel = LinuxKernel.open();
    Optional<String> path = options.path(kernel);
    if (path.isEmpty()) {
      return UNREACHABLE;
    }
    try {
      String text = AdminClient.ask(kernel, path.get(), request);
      Map<String, Object> answer = JsonObject.parse(text);
      if (Boolean.TRUE.equals(answer.get("ok"))) {
        done.accept(text, answer);
        return 0;
      }
      texts(answer, "mistakes").forEach(err::println);
      err.println("peekpass: refused: " + answer.get("error"));
      return REFUSED;
    } catch (IOException e) {
      err.println("peekpass: " + e.getMessage());
      return UNREACHABLE;
    }
  }

  /** A member that is a list of texts; empty when it is missing. */
  static List<String> texts(Map<String, Object> answer, String name) {
    return answer.get(name) instanceof List<?> list
        ? list.stream().map(String::valueOf).toList()
        : List.of();
  }
}
