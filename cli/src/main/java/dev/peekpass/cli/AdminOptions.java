package dev.peekpass.cli;

import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.proxy.admin.AdminPath;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.config.ConfigurationReader;
import dev.peekpass.proxy.config.Mistake;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Where the admin socket of the running proxy is. */
final class AdminOptions {
  private static final String SCHEME = "unix:";

  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec = CommandSpec.create();

  @Option(
      names = {"-c", "--config"},
      paramLabel = "FILE",
      description = "A configuration that says where the admin socket is.")
  private String file = "";

  @Option(names = "--admin", paramLabel = "unix:PATH", description = "The admin socket itself.")
  private String admin = "";

  AdminOptions() {}

  /** The path, or empty after the reason was printed. */
  Optional<String> path(Kernel kernel) {
    PrintWriter err = spec.commandLine().getErr();
    if (!admin.isEmpty()) {
      return Optional.of(parse(spec, admin));
    }
    Optional<String> standard = AdminPath.standard(kernel.geteuid(), System.getenv());
    if (!file.isEmpty()) {
      switch (ConfigurationFile.read(file, System.in)) {
        case ConfigurationReader.Valid(Configuration valid, List<Mistake> warnings) -> {
          Optional<String> path = valid.adminPath().or(() -> toAsk(kernel, valid));
          if (path.isPresent()) {
            return path;
          }
        }
        case ConfigurationReader.Mistakes(List<Mistake> mistakes, _) -> {
          mistakes.forEach(err::println);
          err.println(
              "peekpass: the proxy was not asked: "
                  + file
                  + " does not say where its admin socket"
                  + " is; correct the mistakes, or write --admin unix:PATH");
          return Optional.empty();
        }
      }
    } else if (standard.isPresent()) {
      return standard;
    }
    err.println(
        "peekpass: this user has no standard place for the admin socket: write admin: into the"
            + " configuration and -c FILE here, or --admin unix:PATH");
    return Optional.empty();
  }

  private static Optional<String> toAsk(Kernel kernel, Configuration valid) {
    return AdminPath.toAsk(
        kernel.geteuid(),
        System.getenv(),
        valid.privileges().user().isPresent(),
        path -> Files.exists(Path.of(path)));
  }

  /** Reads {@code unix:PATH}. */
  static String parse(CommandSpec spec, String text) {
    String path = text.startsWith(SCHEME) ? text.substring(SCHEME.length()) : "";
    int bytes = path.getBytes(StandardCharsets.UTF_8).length;
    if (!path.startsWith("/") || bytes > SockAddr.UNIX_PATH_MAX_BYTES) {
      throw new ParameterException(
          spec.commandLine(),
          "--admin: write unix: and an absolute path of at most "
              + SockAddr.UNIX_PATH_MAX_BYTES
              + " bytes");
    }
    return path;
  }
}
