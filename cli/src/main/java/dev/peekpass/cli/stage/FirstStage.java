package dev.peekpass.cli.stage;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.ProcessCalls;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.ListeningSockets;
import dev.peekpass.proxy.TransferredSocket;
import dev.peekpass.proxy.admin.CarriedTakeover;
import dev.peekpass.proxy.admin.Takeover;
import dev.peekpass.proxy.admin.TakeoverTimes;
import dev.peekpass.proxy.advice.Reason;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.config.ConfigurationReader;
import dev.peekpass.proxy.config.ConfinementMode;
import dev.peekpass.proxy.config.Privileges;
import dev.peekpass.proxy.confine.Confinement;
import dev.peekpass.proxy.confine.FileRules;
import dev.peekpass.proxy.systemd.ActivationSockets;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The first program of a start. It does what needs the privileges of who started it, gives them up,
 * and becomes the second program: the same JVM and arguments in the same process, in which no
 * thread ever had more (docs/adr/0028-two-stages.md).
 *
 * <pre>{@code
 * who        as whom to serve; is there such a user?
 *  │
 * ask        the running proxy for its sockets                       (--takeover)
 *  │
 * bind       what is missing; make the admin socket's directory
 *  │
 * enclose    the rules for files and ports; what the second program gets, in memory
 *  │
 * look       as that user, whether all can be read
 *  v
 * give up    descriptors, capabilities, groups, user; look again; Landlock
 *  │
 * give       that user the admin socket's directory
 *  v
 * execve     returns only when it fails: this process ends
 * }</pre>
 *
 * Until the second program says that it is ready the running proxy goes on as before, so that
 * whatever fails here or there costs nothing.
 */
public final class FirstStage {
  private static final Logger LOG = LoggerFactory.getLogger("dev.peekpass.cli");

  /**
   * What root keeps that stays root, by capabilities(7): CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH,
   * without which it could not reach receivers of others, CAP_NET_BIND_SERVICE, CAP_NET_ADMIN for
   * filters of sockets, CAP_SYS_RESOURCE for descriptors under way.
   */
  private static final long KEPT_BY_ROOT = 1L << 1 | 1L << 2 | 1L << 10 | 1L << 12 | 1L << 24;

  private static final int LAST_CAPABILITY = 63;
  private static final int FIRST_DESCRIPTOR = 3;

  /**
   * What to start.
   *
   * @param configuration that was read from {@code text}
   * @param file its name, absolute; empty for standard input
   * @param takeoverFrom as for a start in one program
   * @param beforeExec called last; throws when it must not happen any more
   */
  public record Request(
      Configuration configuration,
      String text,
      Optional<Path> file,
      @Nullable String takeoverFrom,
      Map<String, String> environment,
      TakeoverTimes times,
      BeforeExec beforeExec) {}

  /** The last moment at which a signal can still end the process. */
  public interface BeforeExec {
    /** Runs what becomes another program, unless that must not happen any more. */
    void run(Runnable exec) throws IOException;
  }

  private final Kernel kernel;
  private final Request request;
  private final Configuration configuration;
  private final Optional<AdminDirectory> admin;
  private final Optional<String> adminPath;

  private FirstStage(Kernel kernel, Request request) {
    this.kernel = kernel;
    this.request = request;
    configuration = request.configuration();
    admin = AdminDirectory.of(configuration, kernel.geteuid(), request.environment());
    adminPath = admin.map(AdminDirectory::path);
  }

  /** Whether a configuration asks for two programs, of who may be root. */
  public static boolean isWanted(Configuration configuration, boolean root) {
    Privileges privileges = configuration.privileges();
    boolean stays = root && privileges.user().equals(Optional.of("root"));
    boolean changes = privileges.user().isPresent() && !stays;
    return privileges.confinement() != ConfinementMode.OFF
        || changes
        || privileges.group().isPresent();
  }

  /**
   * Becomes the second program.
   *
   * @throws IOException when it cannot, and what to do; the process must end
   */
  public static void run(Kernel kernel, Request request) throws IOException {
    new FirstStage(kernel, request).run();
  }

  /**
   * Does what a start does beside what cannot be undone; for the training of the AOT cache
   * (docs/adr/0020-aot-cache.md).
   *
   * @param file a configuration
   */
  public static void rehearse(Kernel kernel, Path file) throws IOException {
    String text = Files.readString(file);
    if (!(ConfigurationReader.read(file.toString(), text)
        instanceof ConfigurationReader.Valid(Configuration configuration, var warnings))) {
      throw new IOException(file + " has mistakes");
    }
    Identity identity = Identity.of(configuration.privileges(), kernel.geteuid());
    Image image = Image.current();
    int found = JvmOptions.find(image.arguments(), image.environment()).size();
    FileRules.Places places =
        Needs.find(image, identity.isRoot(), Optional.of(file), Optional.empty(), false);
    Map<String, String> environment = System.getenv();
    Enclosure enclosure =
        Enclosure.make(kernel, ConfinementMode.ENFORCE, configuration, places, environment);
    List<TransferredSocket> opened = ListeningSockets.open(kernel, configuration, List.of());
    HandedDown handed =
        new HandedDown(text, opened, Optional.empty(), Optional.empty(), enclosure.bounds());
    HandedDown.find(
        kernel, Map.of(HandedDown.VARIABLE, String.valueOf(handed.write(kernel).number())));
    ListeningSockets.close(kernel, opened);
    Confinement.rehearse();
    LOG.debug("rehearsed {} for {}: {} warnings", identity, file, warnings.size() + found);
  }

  private void run() throws IOException {
    Identity identity = Identity.of(configuration.privileges(), kernel.geteuid());
    Identity.ignoredGroup(configuration.privileges(), kernel.geteuid()).ifPresent(LOG::warn);
    requireDirectoryOfItsOwn();
    Image image = Image.current();
    requireOptionsThatWork(image);
    if (identity.isRoot() && !identity.named()) {
      warnOfRoot();
    }
    Takeover old = null;
    if (request.takeoverFrom() != null) {
      String from = request.takeoverFrom();
      old = Running.ask(kernel, from.isEmpty() ? adminPath.orElse("") : from, request.times());
    }
    try {
      if (old != null) {
        Running.requireNoPromotion(old, identity.uid(), identity.named());
      }
      become(identity, image, Optional.ofNullable(old).map(Takeover::carry));
    } catch (IOException | RuntimeException | Error e) {
      if (old != null) {
        old.refuse(Reason.of(e));
        old.close();
      }
      throw e;
    }
  }

  private void requireDirectoryOfItsOwn() throws IOException {
    Optional<String> mistake =
        admin.flatMap(one -> one.mistake(configuration.privileges().confinement()));
    if (mistake.isPresent()) {
      throw new IOException(mistake.get());
    }
  }

  /** Before a running proxy is asked for anything, and while this one may still say so. */
  private void requireOptionsThatWork(Image image) throws IOException {
    if (configuration.privileges().confinement() != ConfinementMode.ENFORCE
        || ProcessCalls.landlockVersion() < 0) {
      return;
    }
    for (JvmOptions.Finding one : JvmOptions.find(image.arguments(), image.environment())) {
      if (one.fatal()) {
        throw new IOException(one.sentence());
      }
      LOG.warn("{}", one.sentence());
    }
  }

  /** What is said to root that names no user. */
  public static final String AS_ROOT =
      "it serves as root: write user: NAME into the configuration, and only its start is root's";

  /** Says that nobody needs to be root. */
  public static void warnOfRoot() {
    LOG.warn("{}", AS_ROOT);
  }

  private void become(Identity identity, Image image, Optional<CarriedTakeover> carried)
      throws IOException {
    List<Fd> passed = new ArrayList<>();
    List<TransferredSocket> held = new ArrayList<>();
    carried.ifPresent(takeover -> held.addAll(takeover.sockets()));
    ActivationSockets.of(request.environment(), kernel.getpid())
        .forEach(one -> {
          held.add(new TransferredSocket("", one.fd()));
          passed.add(one.fd());
        });
    List<TransferredSocket> opened = ListeningSockets.open(kernel, configuration, held);
    admin.ifPresent(AdminDirectory::make);
    if (kernel.geteuid() == 0) {
      for (TransferredSocket socket : opened) {
        // Sockets share a port (SO_REUSEPORT) where they are of one user: a reload may want that.
        int r = ProcessCalls.fchown(socket.fd(), identity.uid(), identity.gid());
        if (r < 0) {
          LOG.debug("fchown of {}: {}", socket.bind(), Errno.name(-r));
        }
      }
    }
    Optional<String> directory = admin.map(one -> one.directory().toString());
    FileRules.Places places =
        Needs.find(
            image,
            identity.isRoot(),
            request.file(),
            directory.filter(path -> Files.isDirectory(Path.of(path))),
            configuration.privileges().confinement() == ConfinementMode.ENFORCE);
    Enclosure enclosure =
        Enclosure.make(
            kernel,
            configuration.privileges().confinement(),
            configuration,
            places,
            request.environment());
    HandedDown handed =
        new HandedDown(request.text(), opened, adminPath, carried, enclosure.bounds());
    Fd memory = handed.write(kernel);
    passed.addAll(handed.descriptors());
    passed.add(memory);
    List<String> environment = new ArrayList<>(image.environment());
    environment.removeIf(one -> one.startsWith(HandedDown.VARIABLE + "="));
    environment.add(HandedDown.VARIABLE + "=" + memory.number());

    closeAtExec();
    if (identity.changes()) {
      // What can be found out is, before the running proxy loses anything.
      requireReach(identity, image, places);
    }
    boolean given = isGiven(identity);
    boolean takenOver = carried.map(CarriedTakeover::adminPath).equals(adminPath);
    Starter starter = Starter.start();
    // Here the process begins to be the other one: there is no way back.
    giveUp(identity);
    requireReadable(identity, image, places, !given);
    enclosure.enter();
    for (Fd fd : passed) {
      check("fcntl F_SETFD", ProcessCalls.keepAtExec(fd));
    }
    int[] failed = new int[1];
    request
        .beforeExec()
        .run(() -> {
          // Last of all: whatever has failed before costs the running proxy nothing.
          Runnable takeBack = give(starter, identity, takenOver);
          failed[0] =
              ProcessCalls.execve(
                  image.path(), Image.bytes(image.arguments()), Image.bytes(environment));
          starter.run(takeBack);
        });
    throw new SystemCallException(
        "execve " + image.path(), -failed[0], Remedies.ofExec(-failed[0], image.path()));
  }

  private boolean isGiven(Identity identity) {
    return identity.changes() && admin.map(one -> one.isToBeGiven(identity.uid())).orElse(false);
  }

  private Runnable give(Starter starter, Identity identity, boolean takenOver) {
    if (!identity.changes() || admin.isEmpty()) {
      return () -> {};
    }
    AdminDirectory directory = admin.get();
    Runnable[] takeBack = {() -> {}};
    starter.run(() -> {
      takeBack[0] = directory.restorer();
      directory.give(kernel, identity, takenOver);
    });
    return takeBack[0];
  }

  /** All but standard input, output and error; what is passed is taken out afterwards. */
  private void closeAtExec() throws IOException {
    if (ProcessCalls.closeAtExec(FIRST_DESCRIPTOR) >= 0) {
      return;
    }
    // Before Linux 5.11.
    try (var descriptors = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
      for (Path one : descriptors) {
        int number = Integer.parseInt(one.getFileName().toString());
        if (number >= FIRST_DESCRIPTOR) {
          kernel.fcntl(Fd.of(number), Linux.F_SETFD, Linux.FD_CLOEXEC);
        }
      }
    }
  }

  private void giveUp(Identity identity) throws IOException {
    check("prctl PR_SET_NO_NEW_PRIVS", ProcessCalls.setNoNewPrivileges());
    long keep = identity.isRoot() ? KEPT_BY_ROOT : 0;
    if (configuration.privileges().confinement() == ConfinementMode.OFF && identity.isRoot()) {
      keep = -1;
    }
    for (int one = 0; one <= LAST_CAPABILITY; one++) {
      if ((keep & 1L << one) == 0 && ProcessCalls.hasBoundingCapability(one) == 1) {
        // Without CAP_SETPCAP it cannot be dropped, nor, with no_new_privs, be had.
        ProcessCalls.dropBoundingCapability(one);
      }
    }
    ProcessCalls.clearAmbientCapabilities();
    if (identity.changes()) {
      AsUser.become(identity);
    }
    check("capset", ProcessCalls.capset(keep & permitted()));
  }

  private static long permitted() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/thread-self/status"), ISO_8859_1)) {
      if (line.startsWith("CapPrm:")) {
        return Long.parseUnsignedLong(line.substring("CapPrm:".length()).strip(), 16);
      }
    }
    return 0;
  }

  /** On a thread that is the new user's, before this one is. */
  private void requireReach(Identity identity, Image image, FileRules.Places places)
      throws IOException {
    boolean given = isGiven(identity);
    Optional<IOException> missing =
        AsUser.get(
            identity,
            () -> {
              try {
                requireReadable(identity, image, places, !given);
                return Optional.empty();
              } catch (IOException e) {
                return Optional.of(e);
              }
            });
    if (missing.isPresent()) {
      throw missing.get();
    }
  }

  /**
   * As the new user: the JVM would end without a word, or a reload would fail.
   *
   * @param alsoAdmin whether the admin socket's directory is that user's already, if it is to be
   */
  private void requireReadable(
      Identity identity, Image image, FileRules.Places places, boolean alsoAdmin)
      throws IOException {
    Reach reach = new Reach(identity.name());
    reach.requireReadable(image.path(), "the JDK", "/usr/lib/jvm");
    reach.requireReadable(places.javaHome() + "/lib/modules", "the JDK", "/usr/lib/jvm");
    for (String path : places.program()) {
      reach.requireReadable(path, "the program", "/opt/peekpass");
    }
    if (request.file().isPresent()) {
      reach.requireReadableConfiguration(request.file().get());
    }
    if (alsoAdmin && configuration.adminPath().isPresent() && admin.isPresent()) {
      reach.requireWritable(admin.get().directory().toString());
    }
  }

  private void check(String call, int r) throws SystemCallException {
    if (r < 0) {
      throw new SystemCallException(call, -r, Remedies.ofGivingUp(-r, kernel.geteuid() == 0));
    }
  }
}
