package dev.peekpass.proxy.config;

import dev.peekpass.proxy.route.Quotation;
import dev.peekpass.proxy.route.Reading;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Reads {@code backends}. */
final class BackendReader {
  private static final int MAX_BACKENDS = 10_000;
  private static final int MAX_NAME_CHARS = 64;
  // sun_path of sockaddr_un has 108 bytes, one of them for the end (unix(7)).
  private static final int MAX_PATH_BYTES = 107;
  // SCM_MAX_FD, the most descriptors that a message can carry (unix(7)).
  private static final int MAX_BATCH = 253;
  private static final Section.Keys KEYS =
      new Section.Keys(
          "a backend",
          List.of(
              "handoff",
              "method",
              "hand-off-timeout",
              "ack-timeout",
              "max-queue",
              "batch",
              "balance"),
          List.of("relay", "proxy-protocol"));
  private static final List<String> METHODS =
      List.of("auto", "once", "persistent", "datagram", "acknowledged");

  private final Report report;
  private final BackendNames names;

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
    return backends;
  }

  private BackendConfig backend(YamlNode.Scalar name, YamlNode value, int index) {
    checkName(name);
    List<String> paths = List.of();
    Method method = Method.AUTO;
    Duration timeout = Duration.ofSeconds(10);
    Duration ackTimeout = Duration.ofMillis(500);
    int maxQueue = 1024;
    int batch = 1;
    Optional<Section> section = Section.of(value, KEYS, report);
    if (section.isPresent()) {
      paths = paths(section.get(), name);
      method = section.get().scalar("method").flatMap(this::method).orElse(method);
      timeout =
          section
              .get()
              .scalar("hand-off-timeout")
              .flatMap(at ->
                  report.good(
                      at,
                      Quantity.duration(at.text(), Duration.ofMillis(1), Duration.ofMinutes(5))))
              .orElse(timeout);
      ackTimeout =
          section
              .get()
              .scalar("ack-timeout")
              .flatMap(at ->
                  report.good(
                      at,
                      Quantity.duration(at.text(), Duration.ofMillis(10), Duration.ofMinutes(1))))
              .orElse(ackTimeout);
      maxQueue = section.get().count("max-queue", maxQueue, 0, 1 << 20);
      batch = section.get().count("batch", batch, 1, MAX_BATCH);
      if (batch > 1 && method == Method.ONCE) {
        section.get().scalar("batch").ifPresent(this::noBatchWithOnce);
      }
      section.get().scalar("balance").ifPresent(this::checkBalance);
    }
    return new BackendConfig(
        name.text(), paths, method, timeout, ackTimeout, maxQueue, batch, index, name.line());
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

  private void checkBalance(YamlNode.Scalar word) {
    switch (word.text()) {
      case "round-robin" -> {}
      case "least-connections", "source-hash" -> Section.notYet(word, report);
      default ->
          report.mistake(
              word,
              Quotation.of(word.text()) + " is not a way to balance",
              Section.suggestion(word.text(), List.of("round-robin")));
    }
  }
}
