package dev.peekpass.proxy.config;

import dev.peekpass.proxy.route.Quotation;
import dev.peekpass.proxy.route.Reading;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Reads {@code backends}. */
final class BackendReader {
  private static final int MAX_BACKENDS = 10_000;
  private static final int MAX_NAME_CHARS = 64;
  // sun_path of sockaddr_un has 108 bytes, one of them for the end (unix(7)).
  private static final int MAX_PATH_BYTES = 107;
  // SCM_MAX_FD, the most descriptors that a message can carry (unix(7)).
  private static final int MAX_BATCH = 253;
  static final Section.Keys KEYS =
      new Section.Keys(
          "a backend",
          List.of(
              "handoff",
              "method",
              "hand-off-timeout",
              "ack-timeout",
              "max-queue",
              "batch",
              "balance",
              "slow-start",
              "max-unreceived",
              "backup",
              "probe",
              "trust"),
          List.of("relay", "proxy-protocol"));
  private static final List<String> METHODS =
      List.of("auto", "once", "persistent", "datagram", "acknowledged");

  private static final List<String> BALANCES =
      Arrays.stream(Balance.values()).map(Balance::label).toList();
  private static final List<String> TRUSTS =
      Arrays.stream(Trust.values()).map(Trust::label).toList();
  // Less is not possible: SO_SNDBUF has a least value (socket(7)).
  private static final int LEAST_UNRECEIVED = 6;
  private static final int MOST_UNRECEIVED = 1024;

  private final Report report;
  private final BackendNames names;

  /** Where each backend names its backup, by the backend's index; null for none. */
  private final List<YamlNode.@Nullable Scalar> backups = new ArrayList<>();

  BackendReader(Report report, BackendNames names) {
    this.report = report;
    this.names = names;
  }

  List<BackendConfig> read(YamlNode node) {
    if (!(node instanceof YamlNode.Mapping mapping)) {
      report.mistake(
          node, "\"backends\" is " + node.kind(), "write a mapping, NAME: { handoff: ... }");
      return List.of();
    }
    Section.checkDuplicates(mapping, report);
    if (mapping.entries().size() > MAX_BACKENDS) {
      report.mistake(
          node,
          "there are " + mapping.entries().size() + " backends",
          "write at most " + MAX_BACKENDS);
      return List.of();
    }
    List<BackendConfig> backends = new ArrayList<>();
    for (YamlNode.Entry entry : mapping.entries()) {
      int index = backends.size();
      names.add(entry.key().text(), index);
      backends.add(backend(entry.key(), entry.value(), index));
    }
    checkBackups(backends);
    return backends;
  }

  /** A backup may stand behind the backend that names it, so that this comes last. */
  private void checkBackups(List<BackendConfig> backends) {
    int[] next = new int[backends.size()];
    for (int i = 0; i < next.length; i++) {
      YamlNode.Scalar name = backups.get(i);
      next[i] = name == null ? -1 : names.use(name).orElse(-1);
    }
    for (int i = 0; i < next.length; i++) {
      YamlNode.Scalar name = backups.get(i);
      int at = next[i];
      // A cycle that it does not belong to is reported where it does.
      for (int steps = 0; at >= 0 && at != i && steps < next.length; steps++) {
        at = next[at];
      }
      if (name != null && at == i) {
        report.mistake(
            name,
            next[i] == i
                ? "backend " + Quotation.of(name.text()) + " is its own backup"
                : "the backup leads back to backend "
                    + Quotation.of(backends.get(i).name())
                    + " itself",
            "write another backend, whose backups end somewhere, or leave it out");
      }
    }
  }

  private BackendConfig backend(YamlNode.Scalar name, YamlNode value, int index) {
    checkName(name);
    List<String> paths = List.of();
    Method method = Method.AUTO;
    Duration timeout = Duration.ofSeconds(10);
    Duration ackTimeout = Duration.ofMillis(500);
    int maxQueue = 1024;
    int batch = 1;
    Balance balance = Balance.ROUND_ROBIN;
    Duration slowStart = Duration.ZERO;
    int maxUnreceived = 0;
    Optional<String> backup = Optional.empty();
    Optional<ProbeConfig> probe = Optional.empty();
    Trust trust = Trust.AUTO;
    backups.add(null);
    Optional<Section> section = Section.of(value, KEYS, report);
    if (section.isPresent()) {
      paths = paths(section.get(), name);
      method = section.get().scalar("method").flatMap(this::method).orElse(method);
      timeout =
          section
              .get()
              .duration("hand-off-timeout", timeout, Duration.ofMillis(1), Duration.ofMinutes(5));
      ackTimeout =
          section
              .get()
              .duration("ack-timeout", ackTimeout, Duration.ofMillis(10), Duration.ofMinutes(1));
      maxQueue = section.get().count("max-queue", maxQueue, 0, 1 << 20);
      batch = section.get().count("batch", batch, 1, MAX_BATCH);
      if (batch > 1 && method == Method.ONCE) {
        section.get().scalar("batch").ifPresent(this::noBatchWithOnce);
      }
      balance = section.get().scalar("balance").flatMap(this::balance).orElse(balance);
      slowStart =
          section.get().duration("slow-start", slowStart, Duration.ZERO, Duration.ofHours(1));
      maxUnreceived = section.get().count("max-unreceived", 0, LEAST_UNRECEIVED, MOST_UNRECEIVED);
      Optional<YamlNode.Scalar> backupName = section.get().scalar("backup");
      backupName.ifPresent(at -> backups.set(index, at));
      backup = backupName.map(YamlNode.Scalar::text);
      probe = section.get().value("probe").flatMap(new ProbeReader(report)::read);
      trust = section.get().scalar("trust").flatMap(this::trust).orElse(trust);
      checkUse(section.get(), method);
    }
    return new BackendConfig(
        name.text(),
        paths,
        method,
        timeout,
        ackTimeout,
        maxQueue,
        batch,
        balance,
        slowStart,
        maxUnreceived,
        backup,
        probe,
        trust,
        index,
        name.line());
  }

  private void checkName(YamlNode.Scalar name) {
    if (name.text().length() > MAX_NAME_CHARS || !name.text().matches("[A-Za-z0-9._-]+")) {
      report.mistake(
          name,
          Quotation.of(name.text()) + " is not a backend's name",
          "write 1 to " + MAX_NAME_CHARS + " letters, digits, dots, hyphens and underscores");
    }
  }

  private List<String> paths(Section section, YamlNode.Scalar name) {
    if (!section.has("handoff")) {
      // A backend with relay alone has been told that relay is not supported.
      if (!section.has("relay")) {
        report.mistake(
            name,
            "backend " + Quotation.of(name.text()) + " has no handoff",
            "write handoff: \"unix:/run/NAME.sock\"");
      }
      return List.of();
    }
    List<String> paths = new ArrayList<>();
    Set<String> seen = new HashSet<>();
    for (YamlNode.Scalar socket : section.scalars("handoff")) {
      Optional<String> path = report.good(socket, unixPath(socket.text()));
      if (path.isPresent() && !seen.add(path.get())) {
        report.mistake(
            socket, Quotation.of(socket.text()) + " is in the list already", "write it once");
      }
      path.ifPresent(paths::add);
    }
    return paths;
  }

  /** Reads {@code unix:/absolute/path}. */
  static Reading<String> unixPath(String text) {
    String path = text.startsWith("unix:") ? text.substring(5) : "";
    String quoted = Quotation.of(text);
    if (path.isEmpty()) {
      return new Reading.Bad<>(
          quoted + " is not a UNIX socket",
          text.startsWith("/")
              ? "write " + Quotation.of("unix:" + text)
              : "write \"unix:/absolute/path\"");
    }
    if (path.startsWith("@") || path.startsWith("\0")) {
      return new Reading.Bad<>(
          quoted + " is an abstract socket, which anybody may bind",
          "write \"unix:/absolute/path\", whose directory says who may");
    }
    if (!path.startsWith("/")) {
      return new Reading.Bad<>(quoted + " is a relative path", "write \"unix:/absolute/path\"");
    }
    int bytes = path.getBytes(StandardCharsets.UTF_8).length;
    if (bytes > MAX_PATH_BYTES) {
      return new Reading.Bad<>(
          "the path of a UNIX socket has " + bytes + " bytes",
          "write one of at most " + MAX_PATH_BYTES + " bytes");
    }
    if (path.indexOf('\0') >= 0 || path.endsWith("/")) {
      return new Reading.Bad<>(
          quoted + " is not the path of a socket", "write \"unix:/absolute/path\"");
    }
    return new Reading.Good<>(path);
  }

  private Optional<Method> method(YamlNode.Scalar word) {
    for (Method method : Method.values()) {
      if (method.label().equals(word.text())) {
        return Optional.of(method);
      }
    }
    report.mistake(
        word,
        Quotation.of(word.text()) + " is not a method",
        Section.suggestion(word.text(), METHODS));
    return Optional.empty();
  }

  private void noBatchWithOnce(YamlNode.Scalar batch) {
    report.mistake(
        batch,
        "\"batch\" has no use with method: once, which makes a UNIX connection for each connection",
        "leave it out, or write method: persistent, which the same receiver understands");
  }

  private Optional<Balance> balance(YamlNode.Scalar word) {
    for (Balance balance : Balance.values()) {
      if (balance.label().equals(word.text())) {
        return Optional.of(balance);
      }
    }
    report.mistake(
        word,
        Quotation.of(word.text()) + " is not a way to balance",
        Section.suggestion(word.text(), BALANCES));
    return Optional.empty();
  }

  private Optional<Trust> trust(YamlNode.Scalar word) {
    for (Trust trust : Trust.values()) {
      if (trust.label().equals(word.text())) {
        return Optional.of(trust);
      }
    }
    report.mistake(
        word,
        Quotation.of(word.text()) + " does not say whom to trust",
        Section.suggestion(word.text(), TRUSTS));
    return Optional.empty();
  }

  /** Reports keys that have no use with a method. */
  private void checkUse(Section section, Method method) {
    if (method == Method.ACKNOWLEDGED) {
      noUse(
          section,
          "max-unreceived",
          "acknowledged, whose receivers say how many they take",
          "leave it out, or write method: persistent");
      noUse(
          section,
          "probe",
          "acknowledged, whose receivers say how they are",
          "leave it out, or write method: persistent");
    }
    if (method == Method.ONCE) {
      noUse(
          section,
          "max-unreceived",
          "once, whose queue is the backlog of the receiver's socket",
          "leave it out, or write method: persistent, which the same receiver understands");
    }
  }

  private void noUse(Section section, String key, String method, String remedy) {
    section
        .key(key)
        .ifPresent(
            at -> report.mistake(at, "\"" + key + "\" has no use with method: " + method, remedy));
  }
}
