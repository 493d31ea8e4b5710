package dev.peekpass.proxy.config;

import dev.peekpass.proxy.route.Quotation;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The names that {@code backends} defines, and which of them are used. */
final class BackendNames {
  private static final int MAX_LISTED = 8;

  private final Report report;
  private final Map<String, Integer> indexes = new LinkedHashMap<>();
  private final BitSet used = new BitSet();

  BackendNames(Report report) {
    this.report = report;
  }

  void add(String name, int index) {
    indexes.put(name, index);
  }

  boolean isUsed(int index) {
    return used.get(index);
  }

  /** The index of the backend of a name. Reports a name that nothing defines. */
  Optional<Integer> use(YamlNode.Scalar name) {
    Integer index = indexes.get(name.text());
    if (index == null) {
      report.mistake(
          name,
          "no backend is named " + Quotation.of(name.text()),
          report.isFull() ? "write a backend's name" : remedy(name.text()));
      return Optional.empty();
    }
    used.set(index);
    return Optional.of(index);
  }

  private String remedy(String name) {
    if (indexes.isEmpty()) {
      return "define it under backends";
    }
    return Spelling.nearest(name, indexes.keySet())
        .map(near -> "did you mean \"" + near + "\"?")
        .orElseGet(() -> "define it under backends, or write one of " + some());
  }

  private String some() {
    List<String> some = indexes.keySet().stream().limit(MAX_LISTED).toList();
    return String.join(", ", some) + (indexes.size() > MAX_LISTED ? ", ..." : "");
  }
}
