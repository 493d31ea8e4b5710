package dev.peekpass.proxy.admin;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.Proxy;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.config.ConfigurationReader;
import dev.peekpass.proxy.config.Mistake;
import dev.peekpass.proxy.confine.Confinement;
import dev.peekpass.proxy.status.BackendStatus;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.ListenerStatus;
import dev.peekpass.proxy.status.Outcome;
import dev.peekpass.proxy.status.ProxyStatus;
import dev.peekpass.proxy.status.Stall;
import dev.peekpass.proxy.systemd.Notifier;
import java.io.IOException;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What may be asked of a running proxy, over the admin socket or by a signal. Each answer is one
 * line of JSON with {@code "ok"} in it (docs/operations.md).
 *
 * <p>What changes something is done one at a time; who comes in between waits a little and is then
 * told to come again.
 */
public final class Operations {
  private static final Logger LOG = LoggerFactory.getLogger(Operations.class);

  private static final int SCHEMA = 1;
  private static final long PATIENCE_SECONDS = 10;

  private final Proxy proxy;
  private final Supplier<ConfigurationReader.Result> source;
  private final Notifier notifier;
  private final String version;
  private final String file;
  private final Confinement confinement;
  private final Instant started = Instant.now();
  private final ReentrantLock turn = new ReentrantLock();
  private volatile Instant loaded = started;

  /**
   * Prepares.
   *
   * @param source reads the configuration anew; throws nothing
   * @param file the configuration's name, to be shown
   * @param version the program's, to be shown
   * @param confinement what a reload must keep to
   */
  public Operations(
      Proxy proxy,
      Supplier<ConfigurationReader.Result> source,
      Notifier notifier,
      String file,
      String version,
      Confinement confinement) {
    this.proxy = proxy;
    this.source = source;
    this.notifier = notifier;
    this.file = file;
    this.version = version;
    this.confinement = confinement;
  }

  Proxy proxy() {
    return proxy;
  }

  Notifier notifier() {
    return notifier;
  }

  /** Whether it is the caller's turn to change something; {@link #endTurn} must follow then. */
  boolean beginTurn() {
    try {
      return turn.tryLock(PATIENCE_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  void endTurn() {
    turn.unlock();
  }

  /** Reads the configuration and goes over to it, if it is free of mistakes and can be bound. */
  public String reload() {
    if (!beginTurn()) {
      return busy();
    }
    try {
      notifier.reloading();
      return reloadNow();
    } finally {
      // Whatever came of it: until then the service manager does nothing else with the service.
      notifier.ready("Configuration of " + loaded);
      endTurn();
    }
  }

  private String reloadNow() {
    return switch (source.get()) {
      case ConfigurationReader.Mistakes(List<Mistake> mistakes, boolean read) ->
          refuse(mistakes, read);
      case ConfigurationReader.Valid(Configuration configuration, List<Mistake> warnings) ->
          reload(configuration, warnings);
    };
  }

  private static String refuse(List<Mistake> mistakes, boolean read) {
    mistakes.forEach(mistake -> LOG.error("{}", mistake));
    String what = read ? "the configuration has mistakes" : "the configuration cannot be read";
    LOG.error("reload refused: {}; nothing has changed", what);
    return new Json()
        .open('{')
        .name("ok")
        .value(false)
        .name("error")
        .value(what + ", and nothing has changed" + (read ? ": correct them" : ""))
        .texts("mistakes", mistakes.stream().map(Mistake::toString).toList())
        .close('}')
        .toString();
  }

  private String reload(Configuration configuration, List<Mistake> warnings) {
    List<String> notes;
    try {
      Optional<String> refusal = confinement.refusal(configuration);
      if (refusal.isPresent()) {
        throw new IOException(refusal.get());
      }
      notes = proxy.reload(configuration);
    } catch (SystemCallException e) {
      String message = message(e);
      if (e.errno() == Errno.EACCES && confinement.hasGivenUpPrivileges()) {
        message += "; this proxy has given its privileges up: peekpass run -c FILE --takeover";
      } else if (e.errno() == Errno.EADDRINUSE && confinement.hasGivenUpPrivileges()) {
        message +=
            "; if that is a socket of this proxy's own, which another user opened, and that this"
                + " reload puts another in the place of: peekpass run -c FILE --takeover";
      }
      LOG.error("reload refused: {}; nothing has changed", message);
      return error(message);
    } catch (IOException e) {
      LOG.error("reload refused: {}; nothing has changed", e.getMessage());
      return error(message(e));
    }
    loaded = Instant.now();
    List<String> lines = warnings.stream().map(Mistake::toString).toList();
    lines.forEach(line -> LOG.warn("{}", line));
    notes.forEach(note -> LOG.warn("{}", note));
    LOG.info("reloaded; listening on {}", String.join(", ", proxy.addresses()));
    return new Json()
        .open('{')
        .name("ok")
        .value(true)
        .texts("warnings", lines)
        .texts("notes", notes)
        .close('}')
        .toString();
  }

  /** Lets a backend get no new connections, or get them again. */
  String drain(String backend, boolean on) {
    if (!beginTurn()) {
      return busy();
    }
    try {
      if (proxy.drain(backend, on)) {
        LOG.info("backend {}: {}", backend, on ? "drained" : "no longer drained");
        return new Json().open('{').name("ok").value(true).close('}').toString();
      }
      return error(
          "no backend is named \""
              + backend
              + "\": write one of "
              + String.join(", ", proxy.backends()));
    } catch (IOException e) {
      return error(message(e));
    } finally {
      endTurn();
    }
  }

  /** What the proxy is doing. */
  public String status() {
    ProxyStatus status = proxy.status();
    Json json = new Json().open('{').name("ok").value(true).name("schema").value(SCHEMA);
    json.name("version").value(version).name("pid").value(ProcessHandle.current().pid());
    json.name("started").value(started.toString()).name("configuration").value(file);
    json.name("loaded").value(loaded.toString()).name("reloads").value(status.reloads());
    json.name("threads").value(status.threads()).name("clients").value(status.clients());
    ConfinementReport.append(json, confinement);
    json.name("listeners").open('[');
    status.listeners().forEach(listener -> append(json, listener));
    json.close(']').name("backends").open('[');
    status.backends().forEach(backend -> append(json, backend));
    json.close(']').name("outcomes").open('{');
    for (Outcome outcome : Outcome.values()) {
      json.name(outcome.label()).value(status.outcomes().getOrDefault(outcome, 0L));
    }
    json.close('}').name("counters").open('{');
    for (Counter counter : Counter.values()) {
      json.name(counter.label()).value(status.counters().getOrDefault(counter, 0L));
    }
    json.close('}').name("stalls").open('[');
    status.stalls().forEach(stall -> append(json, stall));
    return json.close(']').close('}').toString();
  }

  private static void append(Json json, Stall stall) {
    json.open('{').name("thread").value(stall.thread()).name("call").value(stall.call());
    json.name("millis").value(stall.millis()).name("over").value(stall.over()).close('}');
  }

  private static void append(Json json, ListenerStatus listener) {
    json.open('{').name("address").value(listener.address()).name("bind").value(listener.bind());
    json.name("state").value(listener.closing() ? "closing" : "listening");
    json.name("sockets").value(listener.sockets()).name("queued").value(listener.queued());
    json.name("pending").value(listener.pending()).name("clients").value(listener.clients());
    json.name("denied").value(listener.turnedAway().denied());
    json.name("max-pending-per-client-reached").value(listener.turnedAway().maxPending());
    json.name("max-new-per-client-reached").value(listener.turnedAway().maxNew()).close('}');
  }

  private static void append(Json json, BackendStatus backend) {
    json.open('{').name("name").value(backend.name()).name("state").value(backend.state());
    json.name("passed").value(backend.passed()).name("waiting").value(backend.waiting());
    json.name("sockets").open('[');
    for (BackendStatus.Socket socket : backend.sockets()) {
      json.open('{').name("handoff").value("unix:" + socket.path());
      json.name("state").value(socket.state().label());
      if (!socket.reason().isEmpty()) {
        json.name("reason").value(socket.reason());
      }
      json.name("passed").value(socket.passed());
      json.name("unsettled").value(socket.unsettled());
      if (socket.load() >= 0) {
        json.name("load").value(socket.load());
      }
      json.name("share").value(socket.share()).close('}');
    }
    json.close(']').close('}');
  }

  private static String message(IOException e) {
    return Objects.requireNonNullElse(e.getMessage(), e.toString());
  }

  static String busy() {
    return error("another reload, drain or takeover is under way: try again in a moment");
  }

  /**
   * What is said when a request ends in a fault; how far it came is not known.
   *
   * @param thrown an Error too
   */
  static String failed(Throwable thrown) {
    return error(
        "the request failed on a fault in Peekpass, and may be done or not: "
            + thrown
            + ": see the proxy's log; restart or take over if it comes again");
  }

  static String error(String message) {
    return new Json()
        .open('{')
        .name("ok")
        .value(false)
        .name("error")
        .value(message)
        .close('}')
        .toString();
  }
}
