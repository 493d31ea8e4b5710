package dev.peekpass.cli;

import dev.peekpass.cli.stage.HandedDown;
import dev.peekpass.cli.stage.Running;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.Inherited;
import dev.peekpass.proxy.Proxy;
import dev.peekpass.proxy.TransferredSocket;
import dev.peekpass.proxy.admin.AdminPath;
import dev.peekpass.proxy.admin.AdminServer;
import dev.peekpass.proxy.admin.AdminSocket;
import dev.peekpass.proxy.admin.Operations;
import dev.peekpass.proxy.admin.Takeover;
import dev.peekpass.proxy.admin.TakeoverTimes;
import dev.peekpass.proxy.advice.Reason;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.config.ConfigurationReader;
import dev.peekpass.proxy.confine.Confinement;
import dev.peekpass.proxy.output.LineSink;
import dev.peekpass.proxy.systemd.ActivationSockets;
import dev.peekpass.proxy.systemd.Notifier;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A proxy from its configuration to its serving (docs/adr/0023-start-in-steps.md).
 *
 * <pre>{@code
 * prepare             what the first program has left of a takeover (stage)
 *    │      LOAD      the program's classes
 *    │      ASK       the running proxy for its sockets          (--takeover)
 *    │      ADMIN     the admin socket: passed, or bound
 *    │      BIND      what is missing; the loops and their threads, which wait
 *    │      ANSWER    what answers on the admin socket, which waits
 *    v
 * (the caller handles signals from here on)
 *    │
 * serve     CONFINE   takes what it does not need from all threads: confined from here
 *    │      READY     tells the running proxy, and waits until this one may accept
 *    │      ACCEPT    the loops and the admin socket go on; nothing here can fail
 *    v      LET_GO    tells the running proxy, which then stops accepting
 * serving
 * }</pre>
 *
 * What can fail is done before READY, while the running proxy goes on as before and this process
 * has accepted nothing. {@link #close} undoes it. For one thread, but for {@link #stop} and {@link
 * #reload}.
 */
final class Start implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Start.class);

  /** What comes next. */
  enum Step {
    LOAD,
    ASK,
    ADMIN,
    BIND,
    ANSWER,
    CONFINE,
    READY,
    ACCEPT,
    LET_GO
  }

  /**
   * What a start depends on beside the configuration.
   *
   * @param handed what the first program of this start has left; null when there was none
   * @param takeoverFrom the admin socket of the proxy to take over from; {@code ""} is this one's
   *     own path; null starts beside none
   * @param source reads the configuration anew
   * @param file the configuration's name, to be shown
   * @param accessLog where the access log goes
   * @param observer told of each step before it is done; for tests
   */
  record Options(
      @Nullable HandedDown handed,
      @Nullable String takeoverFrom,
      Supplier<ConfigurationReader.Result> source,
      String file,
      LineSink accessLog,
      Map<String, String> environment,
      TakeoverTimes times,
      Consumer<Step> observer) {}

  /** How many connections each loop is to have room for, at least, when it takes over. */
  private static final int LEAST_CONNECTIONS = 16;

  private final Configuration configuration;
  private final Supplier<? extends Kernel> kernels;
  private final Kernel kernel;
  private final Options options;
  private final Notifier notifier;
  private final String adminPath;
  private final Confinement confinement;
  private @Nullable Takeover old;
  private @Nullable AdminSocket admin;
  private @Nullable Proxy proxy;
  private @Nullable Operations operations;
  private @Nullable AdminServer server;
  private boolean serving;
  private boolean stopped;
  private boolean reloadWanted;
  private boolean closed;

  Start(Configuration configuration, Supplier<? extends Kernel> kernels, Options options) {
    this.configuration = configuration;
    this.kernels = kernels;
    this.options = options;
    kernel = kernels.get();
    notifier = new Notifier(kernels, options.environment());
    HandedDown handed = options.handed();
    Optional<String> path =
        handed == null
            ? configuration
                .adminPath()
                .or(() -> AdminPath.standard(kernel.geteuid(), options.environment()))
            : handed.adminPath();
    adminPath = path.orElse("");
    confinement = handed == null ? Confinement.none() : new Confinement(handed.bounds());
  }

  /**
   * Does all that can fail.
   *
   * @throws IOException with the remedy; {@link #close} must follow
   */
  void prepare() throws IOException {
    orTellOld(this::prepareAll);
  }

  private interface Part {
    void run() throws IOException;
  }

  /** Whatever fails before this process may accept, the running proxy's log is to say why. */
  private void orTellOld(Part part) throws IOException {
    try {
      part.run();
    } catch (IOException | RuntimeException | Error e) {
      synchronized (this) {
        if (old != null && !stopped) {
          old.refuse(Reason.of(e));
        }
      }
      throw e;
    }
  }

  private void prepareAll() throws IOException {
    boolean second = options.handed() != null;
    if (second) {
      // Before anything can fail, so that the running proxy hears of it.
      takeOverFrom(ask());
    }
    begin(Step.LOAD);
    LOG.debug("{} classes are loaded", ProgramClasses.load());
    LinuxKernel.linkForLoops();
    begin(Step.ASK);
    if (!second) {
      Takeover asked = ask();
      takeOverFrom(asked);
      if (asked != null) {
        boolean named = configuration.privileges().user().isPresent();
        Running.requireNoPromotion(asked, kernel.geteuid(), named);
      }
    }
    begin(Step.ADMIN);
    admin = adminSocket();
    begin(Step.BIND);
    Proxy made = Proxy.prepare(configuration, kernels, options.accessLog(), inherit());
    proxy = made;
    Operations answering =
        new Operations(
            made, options.source(), notifier, options.file(), Version.number(), confinement);
    operations = answering;
    begin(Step.ANSWER);
    if (admin != null) {
      AdminSocket answered = admin;
      admin = null;
      server = AdminServer.prepare(kernels, answering, answered, options.times());
      admin = answered;
    }
  }

  private synchronized void takeOverFrom(@Nullable Takeover asked) {
    old = asked;
  }

  /** The next step, unless a signal has ended the start. */
  private void begin(Step step) throws IOException {
    options.observer().accept(step);
    requireNotStopped();
  }

  private synchronized void requireNotStopped() throws IOException {
    if (stopped && !serving) {
      throw new IOException("stopped by a signal before it served");
    }
  }

  /** The running proxy, asked for its sockets; null when none is, or is to be. */
  private @Nullable Takeover ask() throws IOException {
    HandedDown handed = options.handed();
    if (handed != null) {
      return handed
          .takeover()
          .map(carried -> Takeover.resume(kernel, carried, options.times()))
          .orElse(null);
    }
    String from = options.takeoverFrom();
    return from == null
        ? null
        : Running.ask(kernel, from.isEmpty() ? adminPath : from, options.times());
  }

  /**
   * The admin socket; null when the configuration names none and the standard place is not free.
   */
  private @Nullable AdminSocket adminSocket() throws IOException {
    if (old != null) {
      Optional<AdminSocket> same = old.takeAdminSocket(adminPath);
      if (same.isPresent()) {
        return same.get();
      }
    }
    boolean named = configuration.adminPath().isPresent();
    if (adminPath.isEmpty()) {
      LOG.info("no admin socket: this user has no standard place for it; admin: names one");
      return null;
    }
    try {
      return AdminSocket.open(kernel, adminPath, !named);
    } catch (IOException e) {
      if (named) {
        throw e;
      }
      LOG.warn("no admin socket: {}", e.getMessage());
      return null;
    }
  }

  /** What the running proxy and the service manager have passed. */
  private Inherited inherit() {
    List<TransferredSocket> sockets = new ArrayList<>();
    Inherited taken = old == null ? Inherited.NOTHING : old.takeSockets();
    sockets.addAll(taken.sockets());
    ActivationSockets.of(options.environment(), kernel.getpid())
        .forEach(passed -> {
          LOG.info("inherited {} from the service manager ({})", passed.fd(), passed.name());
          sockets.add(new TransferredSocket("", passed.fd()));
        });
    if (options.handed() != null) {
      sockets.addAll(options.handed().sockets());
    }
    return new Inherited(sockets, taken.drained());
  }

  /**
   * Begins to accept, as soon as the running proxy lets it.
   *
   * @throws IOException when that one goes on instead; {@link #close} must follow
   */
  void serve() throws IOException {
    orTellOld(() -> {
      begin(Step.CONFINE);
      confinement.confineFromHere(kernel);
      begin(Step.READY);
      if (old != null) {
        requireRoom();
      }
    });
    if (old != null) {
      old.awaitTaken(proxy().unwanted(), admin != null && admin.isInherited());
    }
    begin(Step.ACCEPT);
    accept();
    begin(Step.LET_GO);
    if (old != null) {
      if (!old.accepting()) {
        giveBack();
      }
      old.close();
      LOG.info("took over");
    }
    if (admin != null && !admin.isFound()) {
      bindAdminAnew(admin.path());
    } else if (admin != null && admin.isAnotherUsers(kernel.geteuid())) {
      replaceAdmin(admin);
    }
    if (wantsReload()) {
      operations().reload();
    }
  }

  /** Whether there are descriptors for every channel of every loop, and for some connections. */
  private void requireRoom() throws IOException {
    int sockets = configuration.backends().stream().mapToInt(one -> one.socketPaths().size()).sum();
    int wanted = configuration.threads() * (sockets + LEAST_CONNECTIONS);
    List<Fd> tried = new ArrayList<>();
    try {
      while (tried.size() < wanted) {
        int r = kernel.eventfd(0, Linux.EFD_CLOEXEC | Linux.EFD_NONBLOCK);
        if (r < 0) {
          throw new SystemCallException(
              "%d descriptors for channels and connections".formatted(wanted),
              -r,
              "raise the limit of open files (ulimit -n, LimitNOFILE=)");
        }
        tried.add(Fd.of(r));
      }
    } finally {
      tried.forEach(kernel::close);
    }
  }

  /** The running proxy goes on: what this one has accepted it finishes, within a second. */
  private void giveBack() throws IOException {
    if (admin != null && admin.isInherited()) {
      admin.leaveFile();
    }
    proxy().stop();
    try {
      var _ = proxy().await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    throw new IOException(
        "the running proxy ("
            + old
            + ") could not be told that this process accepts, and goes on:"
            + " try again");
  }

  private synchronized void accept() throws IOException {
    requireNotStopped();
    serving = true;
    if (admin != null) {
      admin.ownFile(kernel);
    }
    proxy().accept();
    if (server != null) {
      server.open();
    }
  }

  /** The running proxy ended, and has removed the file of the socket that it passed. */
  private void bindAdminAnew(String path) {
    try {
      AdminSocket fresh = AdminSocket.open(kernel, path, configuration.adminPath().isEmpty());
      answerOn(fresh);
    } catch (IOException e) {
      LOG.error("no admin socket: {}", e.getMessage());
    }
  }

  /** The running proxy was another user's, whose file it is still: nothing can fail any more. */
  private void replaceAdmin(AdminSocket others) {
    try {
      AdminSocket fresh = others.replace(kernel);
      others.leaveFile();
      answerOn(fresh);
    } catch (IOException e) {
      LOG.warn(
          "the admin socket stays the running proxy's user's, and root can use it: {};"
              + " stop and start this proxy to mend that",
          e.getMessage());
    }
  }

  private void answerOn(AdminSocket fresh) throws IOException {
    AdminServer answering = AdminServer.prepare(kernels, operations(), fresh, options.times());
    if (server != null) {
      server.close();
    }
    server = answering;
    admin = fresh;
    answering.open();
  }

  /**
   * Ends the proxy, for a signal's thread: it finishes what it has if it serves, and never begins
   * to if it does not yet.
   */
  void stop() {
    synchronized (this) {
      stopped = true;
      if (!serving) {
        LOG.info("stopping before it served");
        if (old != null) {
          old.cancel();
        }
        return;
      }
    }
    notifier.stopping();
    LOG.info("stopping: no new connections; those already passed are not touched");
    proxy().stop();
  }

  /** Reads the configuration anew, for a signal's thread; once it serves, if it does not yet. */
  void reload() {
    synchronized (this) {
      if (!serving) {
        reloadWanted = true;
        return;
      }
    }
    operations().reload();
  }

  private synchronized boolean wantsReload() {
    return reloadWanted;
  }

  /** Whether a signal ended it before it served. */
  synchronized boolean wasStoppedEarly() {
    return stopped && !serving;
  }

  /** The proxy, once it is prepared. */
  Proxy proxy() {
    return Objects.requireNonNull(proxy, "prepared");
  }

  private Operations operations() {
    return Objects.requireNonNull(operations, "prepared");
  }

  Notifier notifier() {
    return notifier;
  }

  /** Ends what answers on the admin socket, and whatever was prepared and does not serve. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    if (old != null) {
      old.close();
    }
    if (server != null) {
      server.close();
    } else if (admin != null) {
      admin.close(kernel);
    }
    boolean neverServed;
    synchronized (this) {
      neverServed = !serving;
    }
    if (proxy != null && neverServed) {
      proxy.stop();
    }
  }
}
