package dev.peekpass.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** What a command about one backend of a running proxy has. */
@Command(
    mixinStandardHelpOptions = true,
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:done",
      "1:there is no such backend",
      "2:the arguments are wrong",
      "3:no proxy could be asked"
    })
abstract class BackendRequest {
  @Spec private CommandSpec spec = CommandSpec.create();
  @Mixin private AdminOptions options = new AdminOptions();

  @Parameters(paramLabel = "BACKEND", description = "Its name in the configuration.")
  private String backend = "";

  BackendRequest() {}

  /**
   * Asks and prints; returns the exit code.
   *
   * @param verb the request
   * @param done what to say, in front of the name
   */
  final int run(String verb, String done) {
    return AdminRequest.run(
        spec,
        options,
        verb + " " + backend,
        (text, answer) -> spec.commandLine().getOut().println(done + ": " + backend));
  }
}
