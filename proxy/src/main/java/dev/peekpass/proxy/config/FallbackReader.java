package dev.peekpass.proxy.config;

import dev.peekpass.proxy.route.Quotation;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** Reads {@code fallback}. */
final class FallbackReader {
  static final Fallback STANDARD =
      new Fallback.Reject(Fallback.Kind.HTTP_STATUS, Fallback.DEFAULT_HTTP_STATUS);

  private static final Section.Keys KEYS =
      new Section.Keys("a fallback", List.of("reject", "status"), List.of());
  private static final List<String> KINDS =
      Arrays.stream(Fallback.Kind.values()).map(Fallback.Kind::label).toList();

  private final Report report;
  private final BackendNames backends;

  FallbackReader(Report report, BackendNames backends) {
    this.report = report;
    this.backends = backends;
  }

  /** Empty when the node is mistaken. */
  Optional<Fallback> read(YamlNode node) {
    if (node instanceof YamlNode.Scalar name && !name.isNull()) {
      if (KINDS.contains(name.text())) {
        report.mistake(
            name,
            Quotation.of(name.text()) + " is not a backend",
            "write { reject: " + name.text() + " }");
        return Optional.empty();
      }
      return backends.use(name).map(index -> new Fallback.ToBackend(index, name.text()));
    }
    if (!(node instanceof YamlNode.Mapping)) {
      report.mistake(
          node,
          "\"fallback\" is " + node.kind(),
          "write a backend's name or { reject: tls-alert }");
      return Optional.empty();
    }
    return Section.of(node, KEYS, report).flatMap(this::rejection);
  }

  private Optional<Fallback> rejection(Section section) {
    if (!section.has("reject")) {
      report.mistake(
          section.node(),
          "the fallback has no reject",
          "write a backend's name or { reject: tls-alert }");
      return Optional.empty();
    }
    Optional<Fallback.Kind> kind = section.scalar("reject").flatMap(this::kind);
    int status = section.count("status", Fallback.DEFAULT_HTTP_STATUS, 400, 599);
    if (section.has("status") && kind.isPresent() && kind.get() != Fallback.Kind.HTTP_STATUS) {
      section
          .key("status")
          .ifPresent(key ->
              report.mistake(
                  key,
                  "\"status\" has no use with reject: " + kind.get().label(),
                  "leave it out, or write reject: http-status"));
    }
    return kind.map(k -> new Fallback.Reject(k, status));
  }

  private Optional<Fallback.Kind> kind(YamlNode.Scalar word) {
    for (Fallback.Kind kind : Fallback.Kind.values()) {
      if (kind.label().equals(word.text())) {
        return Optional.of(kind);
      }
    }
    report.mistake(
        word,
        Quotation.of(word.text()) + " is not a way to reject",
        Section.suggestion(word.text(), KINDS));
    return Optional.empty();
  }
}
