package dev.peekpass.proxy.config;

import dev.peekpass.proxy.route.Quotation;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Reads {@code probe}. */
final class ProbeReader {
  private static final int MAX_PATH_CHARS = 1024;
  private static final int MAX_HOST_CHARS = 253;
  private static final Section.Keys KEYS =
      new Section.Keys(
          "a probe", List.of("http", "tls", "every", "timeout", "rise", "fall"), List.of());
  private static final Section.Keys HTTP_KEYS =
      new Section.Keys("a probe's http", List.of("path", "host", "expect-status"), List.of());
  private static final Section.Keys TLS_KEYS =
      new Section.Keys("a probe's tls", List.of("server-name"), List.of());

  // RFC 1123 section 2.1; the JDK takes no other server name.
  private static final String LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?";

  private final Report report;

  ProbeReader(Report report) {
    this.report = report;
  }

  /** Empty when the node is mistaken. */
  Optional<ProbeConfig> read(YamlNode node) {
    return Section.of(node, KEYS, report).flatMap(this::probe);
  }

  private Optional<ProbeConfig> probe(Section section) {
    Duration every =
        section.duration(
            "every", Duration.ofSeconds(2), Duration.ofMillis(100), Duration.ofMinutes(5));
    Duration timeout =
        section.duration(
            "timeout", Duration.ofSeconds(1), Duration.ofMillis(10), Duration.ofMinutes(1));
    int rise = section.count("rise", 2, 1, 100);
    int fall = section.count("fall", 3, 1, 100);
    if (section.has("http") == section.has("tls")) {
      report.mistake(
          section.node(),
          section.has("http") ? "the probe has http and tls" : "the probe asks nothing",
          "write one of http: { path: /, host: NAME } and tls: { server-name: NAME }");
      return Optional.empty();
    }
    Optional<? extends ProbeConfig.Question> question =
        section.has("http")
            ? section
                .value("http")
                .flatMap(http -> Section.of(http, HTTP_KEYS, report))
                .flatMap(this::http)
            : section
                .value("tls")
                .flatMap(tls -> Section.of(tls, TLS_KEYS, report))
                .flatMap(this::tls);
    return question.map(asked -> new ProbeConfig(asked, every, timeout, rise, fall));
  }

  private Optional<ProbeConfig.Http> http(Section section) {
    String path = "/";
    Optional<YamlNode.Scalar> written = section.scalar("path");
    if (written.isPresent()) {
      path = written.get().text();
      // What RFC 9112 section 3.2.1 lets a target be, as far as it can go wrong on the wire.
      if (path.length() > MAX_PATH_CHARS || !path.matches("/[\\x21-\\x7e]*")) {
        report.mistake(
            written.get(),
            Quotation.of(path) + " is not the path of a request",
            "write / and visible ASCII characters, at most " + MAX_PATH_CHARS);
      }
    }
    List<Integer> statuses = new ArrayList<>();
    for (YamlNode.Scalar status : section.scalars("expect-status")) {
      report.good(status, Quantity.count(status.text(), 100, 599)).ifPresent(statuses::add);
    }
    String target = path;
    return name(section, "host", "http: { host: NAME }")
        .map(host -> new ProbeConfig.Http(target, host, statuses));
  }

  private Optional<ProbeConfig.Tls> tls(Section section) {
    return name(section, "server-name", "tls: { server-name: NAME }").map(ProbeConfig.Tls::new);
  }

  private Optional<String> name(Section section, String key, String example) {
    Optional<YamlNode.Scalar> name = section.scalar(key);
    if (!section.has(key)) {
      report.mistake(section.node(), "the probe has no " + key, "write " + example);
    }
    if (name.isPresent()
        && (name.get().text().length() > MAX_HOST_CHARS
            || !name.get().text().matches(LABEL + "([.]" + LABEL + ")*"))) {
      report.mistake(
          name.get(),
          Quotation.of(name.get().text()) + " is not a host name",
          "write letters, digits, dots and hyphens, at most " + MAX_HOST_CHARS + ", A-labels");
      return Optional.empty();
    }
    return name.map(YamlNode.Scalar::text);
  }
}
