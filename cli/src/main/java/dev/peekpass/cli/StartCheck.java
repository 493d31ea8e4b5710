package dev.peekpass.cli;

import dev.peekpass.cli.stage.AdminDirectory;
import dev.peekpass.cli.stage.AsUser;
import dev.peekpass.cli.stage.FirstStage;
import dev.peekpass.cli.stage.Identity;
import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.advice.PathAdvice;
import dev.peekpass.proxy.advice.Reason;
import dev.peekpass.proxy.advice.Unreachable;
import dev.peekpass.proxy.config.Configuration;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
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
  private final boolean elsewhere;
  private final List<String> errors = new ArrayList<>();
  private final List<String> warnings = new ArrayList<>();
  private final List<String> notes = new ArrayList<>();

  /**
   * Prepares.
   *
   * @param file the configuration's name; empty for what can be read only once
   * @param elsewhere whether it may be another machine's, with other users
   */
  StartCheck(
      Kernel kernel,
      Configuration configuration,
      Optional<String> file,
      Map<String, String> environment,
      boolean elsewhere) {
    this.kernel = kernel;
    this.configuration = configuration;
    this.file = file;
    this.environment = environment;
    this.elsewhere = elsewhere;
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
    Optional<Identity> candidate;
    try {
      candidate = Identity.ofRootsStart(configuration.privileges());
    } catch (Identity.NotHereException e) {
      (elsewhere ? warnings : errors).add(Reason.of(e));
      return elsewhere ? Optional.of(others.get()) : Optional.empty();
    } catch (IOException e) {
      errors.add(Reason.of(e));
      return Optional.empty();
    }
    if (candidate.isEmpty() || candidate.get().uid() == own) {
      warnOfIgnoredGroup(own);
      String user =
          candidate.map(Identity::name).orElse(own == 0 ? "root" : Integer.toUnsignedString(own));
      if (own == 0 && candidate.isEmpty()) {
        warnings.add(FirstStage.AS_ROOT);
      }
      Runnable admin = admin(user, own, own);
      admin.run();
      return Optional.of(others.get());
    }
    Identity user = candidate.get();
    if (own != 0) {
      notes.add(
          "user: %s: what that user may do cannot be found out by uid %s: run check as root or as %s"
              .formatted(user.name(), Integer.toUnsignedString(own), user.name()));
      return Optional.of(others.get());
    }
    Runnable admin = admin(user.name(), user.uid(), own);
    try {
      // A class that is found only when it is used would have to be read by that user.
      var _ = ProgramClasses.load();
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
              .formatted(user.name(), why(e), user.name()));
      return Optional.of(others.get());
    }
  }

  private static String why(IOException e) {
    return e instanceof SystemCallException call ? Errno.name(call.errno()) : e.toString();
  }

  private void warnOfIgnoredGroup(int own) {
    try {
      Identity.ignoredGroup(configuration.privileges(), own).ifPresent(warnings::add);
    } catch (IOException e) {
      notes.add("group: which groups this process has cannot be found out: " + Reason.of(e));
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
    Optional<AdminDirectory> found = AdminDirectory.of(configuration, starter, environment);
    if (found.isEmpty()) {
      return () -> {};
    }
    AdminDirectory admin = found.get();
    Optional<String> mistake = admin.mistake(configuration.privileges().confinement());
    if (mistake.isPresent()) {
      errors.add(mistake.get());
      return () -> {};
    }
    Path directory = admin.directory();
    if (!Files.isDirectory(directory)) {
      missing(user, admin.path(), directory, admin.named());
      return () -> {};
    }
    boolean given = starter == 0 && uid != starter && admin.isToBeGiven(uid);
    return given ? () -> {} : () -> requireWritable(user, admin.path(), directory, admin.named());
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
