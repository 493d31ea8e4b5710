package dev.peekpass.proxy.config;

import dev.peekpass.proxy.route.Quotation;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/** One mapping of a configuration, whose keys have been checked. */
final class Section {

  /**
   * The keys of a kind of mapping.
   *
   * @param what what messages call the mapping, with its article
   * @param known the keys that it may have
   * @param later those that a later version will know
   * @param elsewhere the kinds of mapping inside it, whose keys do not belong in it itself
   */
  record Keys(String what, List<String> known, List<String> later, List<Keys> elsewhere) {
    Keys(String what, List<String> known, List<String> later) {
      this(what, known, later, List.of());
    }

    /** What to write instead of a key that is none of these. */
    String suggestion(String key) {
      for (Keys other : elsewhere) {
        if (other.known.contains(key)) {
          return "it belongs in " + other.what;
        }
      }
      return Section.suggestion(key, known);
    }
  }

  private static final int SMALL = 16;

  private final Report report;
  private final YamlNode.Mapping mapping;

  private Section(YamlNode.Mapping mapping, Report report) {
    this.mapping = mapping;
    this.report = report;
  }

  /** Checks a mapping's keys; empty when the node is not a mapping. */
  static Optional<Section> of(YamlNode node, Keys keys, Report report) {
    if (!(node instanceof YamlNode.Mapping mapping)) {
      report.mistake(
          node,
          keys.what + " is " + node.kind(),
          "write a mapping with " + String.join(", ", keys.known));
      return Optional.empty();
    }
    checkDuplicates(mapping, report);
    for (YamlNode.Entry entry : mapping.entries()) {
      String key = entry.key().text();
      if (keys.later.contains(key)) {
        notYet(entry.key(), report);
      } else if (!keys.known.contains(key)) {
        report.mistake(
            entry.key(), Quotation.of(key) + " is not a key of " + keys.what, keys.suggestion(key));
      }
    }
    return Optional.of(new Section(mapping, report));
  }

  /** Reports a key or value that is planned, so that it is never silently without effect. */
  static void notYet(YamlNode.Scalar word, Report report) {
    report.mistake(
        word, Quotation.of(word.text()) + " is not supported by this version", "leave it out");
  }

  /** Did you mean. */
  static String suggestion(String word, List<String> words) {
    return Spelling.nearest(word, words)
        .map(near -> "did you mean \"" + near + "\"?")
        .orElseGet(() -> "write " + choice(words));
  }

  private static String choice(List<String> words) {
    return words.size() == 1 ? words.getFirst() : "one of " + String.join(", ", words);
  }

  /** Reports each key that stands in a mapping before. */
  static void checkDuplicates(YamlNode.Mapping mapping, Report report) {
    List<YamlNode.Entry> entries = mapping.entries();
    Map<String, Integer> seen = new HashMap<>();
    for (int i = 0; i < entries.size(); i++) {
      YamlNode.Scalar key = entries.get(i).key();
      // Nearly all mappings are routes of a few keys, for which a map costs more than looking.
      int first =
          entries.size() <= SMALL
              ? firstOf(key.text(), entries)
              : Objects.requireNonNullElse(seen.putIfAbsent(key.text(), i), i);
      if (first < i) {
        report.mistake(
            key,
            Quotation.of(key.text())
                + " stands at line "
                + entries.get(first).key().line()
                + " already",
            "write each key once");
      }
    }
  }

  private static int firstOf(String key, List<YamlNode.Entry> entries) {
    int first = 0;
    while (!entries.get(first).key().text().equals(key)) {
      first++;
    }
    return first;
  }

  YamlNode.Mapping node() {
    return mapping;
  }

  /** A key's value; the first one's when it stands twice. */
  Optional<YamlNode> value(String key) {
    for (YamlNode.Entry entry : mapping.entries()) {
      if (entry.key().text().equals(key)) {
        return Optional.of(entry.value());
      }
    }
    return Optional.empty();
  }

  /** A key that is there, for messages about the key itself. */
  Optional<YamlNode.Scalar> key(String key) {
    return mapping.entries().stream()
        .map(YamlNode.Entry::key)
        .filter(k -> k.text().equals(key))
        .findFirst();
  }

  boolean has(String key) {
    return value(key).isPresent();
  }

  /** A key's single value. Reports a list, a mapping and nothing. */
  Optional<YamlNode.Scalar> scalar(String key) {
    return value(key).flatMap(node -> scalar(key, node));
  }

  private Optional<YamlNode.Scalar> scalar(String key, YamlNode node) {
    if (node instanceof YamlNode.Scalar scalar && !scalar.isNull()) {
      return Optional.of(scalar);
    }
    report.mistake(node, "\"" + key + "\" is " + node.kind(), "write a single value");
    return Optional.empty();
  }

  /** A key's single value or list of them. Reports an empty list and what is not a single value. */
  List<YamlNode.Scalar> scalars(String key) {
    Optional<YamlNode> value = value(key);
    if (value.isEmpty()) {
      return List.of();
    }
    if (!(value.get() instanceof YamlNode.Sequence list)) {
      return scalar(key, value.get()).map(List::of).orElse(List.of());
    }
    if (list.items().isEmpty()) {
      report.mistake(list, "\"" + key + "\" is an empty list", "write a value or leave it out");
    }
    List<YamlNode.Scalar> scalars = new ArrayList<>(list.items().size());
    for (YamlNode item : list.items()) {
      scalar(key, item).ifPresent(scalars::add);
    }
    return scalars;
  }

  /** A key's list. Reports anything else. */
  Optional<YamlNode.Sequence> list(String key) {
    return value(key)
        .flatMap(node -> {
          if (node instanceof YamlNode.Sequence list) {
            return Optional.of(list);
          }
          report.mistake(
              node,
              "\"" + key + "\" is " + node.kind(),
              "write a list, each entry behind a hyphen");
          return Optional.empty();
        });
  }

  /** A boolean of the YAML 1.2 core schema. */
  boolean flag(String key, boolean standard) {
    Optional<YamlNode.Scalar> scalar = scalar(key);
    if (scalar.isEmpty()) {
      return standard;
    }
    String text = scalar.get().plain() ? scalar.get().text() : "";
    return switch (text) {
      case "true", "True", "TRUE" -> true;
      case "false", "False", "FALSE" -> false;
      default -> {
        report.mistake(
            scalar.get(),
            Quotation.of(scalar.get().text()) + " is not a boolean",
            "write true or false, without quotes");
        yield standard;
      }
    };
  }

  /** A duration. */
  Duration duration(String key, Duration standard, Duration least, Duration most) {
    return scalar(key)
        .flatMap(at -> report.good(at, Quantity.duration(at.text(), least, most)))
        .orElse(standard);
  }

  /** A whole number. */
  int count(String key, int standard, int least, int most) {
    return scalar(key)
        .flatMap(at -> report.good(at, Quantity.count(at.text(), least, most)))
        .orElse(standard);
  }
}
