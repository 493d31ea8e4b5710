package dev.peekpass.cli;

import dev.peekpass.cli.stage.Candidate;
import dev.peekpass.cli.stage.FirstStage;
import dev.peekpass.linux.Kernel;
import dev.peekpass.proxy.admin.AdminPath;
import dev.peekpass.proxy.admin.AdminSocket;
import dev.peekpass.proxy.advice.PathAdvice;
import dev.peekpass.proxy.advice.Unreachable;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.config.ConfinementMode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * What {@code run} would find wrong around a configuration: whom it is to serve as, and what that
 * user may not do. Changes nothing.
 */
final class StartCheck {
  private final Kernel kernel;
  private final Configuration configuration;
  private final Optional<String> file;
  private final Map<String, String> environment;
  private final List<String> errors = new ArrayList<>();
  private final List<String> warnings = new ArrayList<>();
  private final List<String> notes = new ArrayList<>();

  /**
   * Prepares.
   *
   * @param file the configuration's name; empty for standard input
   */
  StartCheck(
      Kernel kernel,
      Configuration configuration,
      Optional<String> file,
      Map<String, String> environment) {
    this.kernel = kernel;
    this.configuration = configuration;
    this.file = file;
    this.environment = environment;
  }

  /** With these {@code run} does not start. */
  List<String> errors() {
    return errors;
  }

  /** With these it starts, and something is missing. */
  List<String> warnings() {
    return warnings;
  }

  /** What could not be found out. */
  List<String> notes() {
    return notes;
  }

  /**
   * Looks, as the user that is to serve where this process may.
   *
   * @param others what else is to be found out as that user
   * @return what came of the others; empty when there is no such user
   */
  <T> Optional<T> with(Supplier<T> others) {
    int own = kernel.geteuid();
    Optional<Candidate> candidate;
    try {
      candidate = Candidate.of(configuration.privileges());
    } catch (IOException e) {
      errors.add(String.valueOf(e.getMessage()));
      return Optional.empty();
    }
    if (candidate.isEmpty() || candidate.get().uid() == own) {
      String user = candidate.map(Candidate::name).orElse(own == 0 ? "root" : String.valueOf(own));
      if (own == 0 && candidate.isEmpty()) {
        warnings.add(FirstStage.AS_ROOT);
      }
      Runnable admin = admin(user, own, own);
      admin.run();
      return Optional.of(others.get());
    }
    Candidate user = candidate.get();
    if (own != 0) {
      notes.add(
          "user: %s: what that user may do cannot be found out by uid %d: run check as root or as %s"
              .formatted(user.name(), own, user.name()));
      return Optional.of(others.get());
    }
    Runnable admin = admin(user.name(), user.uid(), own);
    try {
      return Optional.of(
          AsUser.get(
              user,
              () -> {
                admin.run();
                requireReadableFile(user.name());
                return others.get();
              }));
    } catch (IOException e) {
      notes.add(
          "user: %s: this process may not become that user (%s), and has checked as root: run check as %s"
              .formatted(user.name(), e.getMessage(), user.name()));
      return Optional.of(others.get());
    }
  }

  private void requireReadableFile(String user) {
    file.flatMap(UnreadableFile::why)
        .ifPresent(why -> errors.add("user " + user + " " + why.fault() + ": " + why.remedy()));
  }

  /**
   * Looks at the admin socket's directory as who starts.
   *
   * @param uid as whom it is to serve
   * @param starter who starts
   * @return what is left to be done as who serves
   */
  private Runnable admin(String user, int uid, int starter) {
    Optional<String> path =
        configuration.adminPath().or(() -> AdminPath.standard(starter, environment));
    if (path.isEmpty()) {
      return () -> {};
    }
    boolean named = configuration.adminPath().isPresent();
    Path directory = Objects.requireNonNullElse(Path.of(path.get()).getParent(), Path.of("/"));
    if (directory.equals(Path.of("/"))
        && configuration.privileges().confinement() == ConfinementMode.ENFORCE) {
      errors.add(
          "admin socket unix:%s: a confined proxy's cannot be directly in /: write a path in a directory of its own, such as /run/peekpass, or leave admin out"
              .formatted(path.get()));
      return () -> {};
    }
    if (!Files.isDirectory(directory)) {
      missing(user, path.get(), directory, named);
      return () -> {};
    }
    boolean given =
        starter == 0
            && uid != starter
            && AdminPath.isStandardPlace(path.get(), starter, environment)
            && AdminSocket.isToBeGiven(path.get(), uid);
    return given ? () -> {} : () -> requireWritable(user, path.get(), directory, named);
  }

  private void missing(String user, String path, Path directory, boolean named) {
    String make = PathAdvice.toMake(directory, user);
    if (named && directory.startsWith("/run")) {
      warnings.add(
          "admin socket unix:%s: there is no directory %s: %s, unless the unit's RuntimeDirectory= does"
              .formatted(path, directory, make));
    } else if (named) {
      errors.add(
          "admin socket unix:%s: there is no directory %s: %s, or leave admin out"
              .formatted(path, directory, make));
    } else {
      // A start makes it.
      Path above = directory.getParent();
      if (above == null || !Files.isDirectory(above) || !Files.isWritable(above)) {
        warnings.add(
            "no admin socket unix:%s, so that nobody can ask the proxy: its directory is not there and cannot be made: %s, or write admin"
                .formatted(path, make));
      }
    }
  }

  private void requireWritable(String user, String path, Path directory, boolean named) {
    Optional<Unreachable> why = Unreachable.makingAdminSocket(directory, user);
    if (why.isEmpty()) {
      return;
    }
    String remedy = "user " + user + " " + why.get().fault() + ": " + why.get().remedy();
    if (named) {
      errors.add("admin socket unix:" + path + ": " + remedy);
    } else {
      warnings.add(
          "no admin socket unix:" + path + ", so that nobody can ask the proxy: " + remedy);
    }
  }
}
