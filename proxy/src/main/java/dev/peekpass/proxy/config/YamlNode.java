package dev.peekpass.proxy.config;

import java.util.List;

/** A part of a YAML document, with the line and column, from 1, at which it begins. */
sealed interface YamlNode {
  int line();

  int column();

  /** What a message calls it. */
  String kind();

  /**
   * A single value.
   *
   * @param plain whether it stands without quotes, so that {@code true} is a boolean
   */
  record Scalar(String text, boolean plain, int line, int column) implements YamlNode {
    /** Whether there is no value: {@code key:} alone, or a null of the core schema. */
    boolean isNull() {
      return plain
          && switch (text) {
            case "", "~", "null", "Null", "NULL" -> true;
            default -> false;
          };
    }

    @Override
    public String kind() {
      return isNull() ? "empty" : "a single value";
    }
  }

  /** A list. */
  record Sequence(List<YamlNode> items, int line, int column) implements YamlNode {
    @Override
    public String kind() {
      return "a list";
    }
  }

  /** A mapping, in file order, with duplicate keys kept. */
  record Mapping(List<Entry> entries, int line, int column) implements YamlNode {
    @Override
    public String kind() {
      return "a mapping";
    }
  }

  /** One key of a mapping and its value. */
  record Entry(Scalar key, YamlNode value) {}
}
