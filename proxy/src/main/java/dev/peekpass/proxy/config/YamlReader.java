package dev.peekpass.proxy.config;

import dev.peekpass.proxy.route.Quotation;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.common.Anchor;
import org.snakeyaml.engine.v2.events.AliasEvent;
import org.snakeyaml.engine.v2.events.CollectionStartEvent;
import org.snakeyaml.engine.v2.events.Event;
import org.snakeyaml.engine.v2.events.NodeEvent;
import org.snakeyaml.engine.v2.events.ScalarEvent;
import org.snakeyaml.engine.v2.exceptions.Mark;
import org.snakeyaml.engine.v2.exceptions.MarkedYamlEngineException;
import org.snakeyaml.engine.v2.exceptions.ReaderException;
import org.snakeyaml.engine.v2.parser.ParserImpl;
import org.snakeyaml.engine.v2.scanner.StreamReader;

/**
 * Builds the tree of one YAML document from the parser's events. The engine's own tree keeps two
 * marks and a copy of the text with every node, a kilobyte a route; this one keeps what is needed.
 */
final class YamlReader {
  /** How deep lists and mappings may nest; a configuration needs six. */
  static final int MAX_DEPTH = 16;

  /** How many nodes all aliases together may stand for, so that they cannot multiply. */
  static final int MAX_ALIASED_NODES = 100_000;

  private static final int CACHED_TEXTS = 4096;

  private final String text;
  private final Report report;
  private final Deque<Open> open = new ArrayDeque<>();
  private final Map<String, Anchored> anchors = new HashMap<>();
  // Keys and backends' names come again with every route: keep one copy of what was seen last.
  private final @Nullable String[] recentTexts = new String[CACHED_TEXTS];
  private long nodes;
  private long aliasedNodes;
  private @Nullable YamlNode root;

  /** A list or mapping whose end has not come yet. */
  private static final class Open {
    final boolean mapping;
    final int line;
    final int column;
    final String anchor;
    final long nodesBefore;
    final List<YamlNode> items = new ArrayList<>(4);
    final List<YamlNode.Entry> entries = new ArrayList<>(4);
    YamlNode.@Nullable Scalar key;
    // Behind a key that is no scalar: its value is read and dropped.
    boolean keyMissing;

    Open(boolean mapping, int line, int column, String anchor, long nodesBefore) {
      this.mapping = mapping;
      this.line = line;
      this.column = column;
      this.anchor = anchor;
      this.nodesBefore = nodesBefore;
    }
  }

  private record Anchored(YamlNode node, long nodes) {}

  private YamlReader(String text, Report report) {
    this.text = text;
    this.report = report;
  }

  /**
   * Reads a document. Reports everything that is not YAML, or not YAML that a configuration needs.
   *
   * @return the document's root, or empty when the text is not one YAML document
   */
  static Optional<YamlNode> read(String text, Report report) {
    return new YamlReader(text, report).read();
  }

  private Optional<YamlNode> read() {
    LoadSettings settings =
        LoadSettings.builder().setCodePointLimit(Integer.MAX_VALUE).setLabel("").build();
    StreamReader characters = new StreamReader(settings, text);
    try {
      Iterator<Event> events = new ParserImpl(settings, characters);
      boolean goOn = true;
      int documents = 0;
      while (goOn && events.hasNext()) {
        Event event = events.next();
        if (event.getEventId() == Event.ID.DocumentStart && ++documents > 1) {
          report.mistake(
              line(event), column(event), "a second document begins", "write one document a file");
          return Optional.empty();
        }
        goOn = take(event);
      }
      return goOn ? Optional.ofNullable(root) : Optional.empty();
    } catch (MarkedYamlEngineException e) {
      Optional<Mark> mark = e.getProblemMark().or(e::getContextMark);
      syntaxMistake(
          mark.map(m -> m.getLine() + 1).orElse(1),
          mark.map(m -> m.getColumn() + 1).orElse(1),
          e.getProblem() == null ? "the text is not YAML" : e.getProblem());
    } catch (ReaderException e) {
      characterMistake(e);
    } catch (RuntimeException e) {
      // The engine has unchecked exceptions of others' for some malformed escapes; its caller is
      // promised none.
      report.mistake(
          characters.getLine() + 1,
          characters.getColumn() + 1,
          "this is not YAML: a malformed escape or directive",
          "write an escape of YAML 1.2, or use single quotes");
    }
    return Optional.empty();
  }

  private void syntaxMistake(int line, int column, String problem) {
    String content = text.lines().skip(line - 1L).findFirst().orElse("");
    String remedy;
    if (content.matches(".*[\\s\\[,]\\*.*")) {
      remedy = "put a text that begins with * in quotes";
    } else if (content.contains("::") || content.contains("]:")) {
      remedy = "put an address with colons in quotes";
    } else if (content.indexOf('\t') >= 0) {
      remedy = "indent with spaces, not with tabs";
    } else {
      remedy = "look at the indentation, quotes and brackets here and in the line before";
    }
    report.mistake(
        line, column, "this is not YAML: " + problem.replaceAll("[\\p{Cntrl}]+", " "), remedy);
  }

  private void characterMistake(ReaderException e) {
    int line = 1;
    int column = 1;
    int index = 0;
    for (int i = 0; i < e.getPosition() && index < text.length(); i++) {
      int c = text.codePointAt(index);
      column = c == '\n' ? 1 : column + 1;
      line = c == '\n' ? line + 1 : line;
      index += Character.charCount(c);
    }
    report.mistake(
        line,
        column,
        String.format("the character U+%04X is not allowed in YAML", e.getCodePoint()),
        "remove it, or write it as an escape in double quotes");
  }

  /** Takes one event; false when there is no use in going on. */
  private boolean take(Event event) {
    switch (event) {
      case ScalarEvent scalar -> {
        checkTag(scalar, scalar.getTag());
        nodes++;
        YamlNode node =
            new YamlNode.Scalar(
                shared(scalar.getValue()), scalar.isPlain(), line(event), column(event));
        anchor(anchorOf(scalar), node, 1);
        add(node);
      }
      case CollectionStartEvent start -> {
        checkTag(start, start.getTag());
        if (open.size() == MAX_DEPTH) {
          report.mistake(
              line(event),
              column(event),
              "lists and mappings nest more than " + MAX_DEPTH + " deep",
              "write a configuration as in the manual");
          return false;
        }
        open.push(
            new Open(
                event.getEventId() == Event.ID.MappingStart,
                line(event),
                column(event),
                anchorOf(start),
                nodes++));
      }
      case AliasEvent alias -> {
        return alias(alias);
      }
      default -> {
        if (event.getEventId() == Event.ID.SequenceEnd
            || event.getEventId() == Event.ID.MappingEnd) {
          close(open.pop());
        }
      }
    }
    return true;
  }

  private void close(Open ended) {
    YamlNode node =
        ended.mapping
            ? new YamlNode.Mapping(List.copyOf(ended.entries), ended.line, ended.column)
            : new YamlNode.Sequence(List.copyOf(ended.items), ended.line, ended.column);
    anchor(ended.anchor, node, nodes - ended.nodesBefore);
    add(node);
  }

  private void add(YamlNode node) {
    Open parent = open.peek();
    if (parent == null) {
      root = node;
    } else if (!parent.mapping) {
      parent.items.add(node);
    } else if (parent.keyMissing) {
      parent.keyMissing = false;
    } else if (parent.key != null) {
      parent.entries.add(new YamlNode.Entry(parent.key, node));
      parent.key = null;
    } else if (node instanceof YamlNode.Scalar key) {
      parent.key = key;
    } else {
      parent.keyMissing = true;
      report.mistake(node, "a key is " + node.kind(), "write a single word as the key");
    }
  }

  private boolean alias(AliasEvent event) {
    String name = event.getAlias().getValue();
    Anchored anchored = anchors.get(name);
    if (anchored == null) {
      report.mistake(
          line(event),
          column(event),
          "no anchor is named " + Quotation.of(name),
          "put a text that begins with * in quotes, \"*"
              + name.replaceAll("\\p{Cntrl}", "")
              + "\"");
      add(new YamlNode.Scalar("*" + name, false, line(event), column(event)));
      return true;
    }
    aliasedNodes += anchored.nodes;
    nodes += anchored.nodes;
    if (aliasedNodes > MAX_ALIASED_NODES) {
      report.mistake(
          line(event),
          column(event),
          "aliases stand for more than " + MAX_ALIASED_NODES + " values",
          "write the values out, or fewer of them");
      return false;
    }
    add(anchored.node);
    return true;
  }

  private void anchor(String name, YamlNode node, long size) {
    if (!name.isEmpty()) {
      anchors.put(name, new Anchored(node, size));
    }
  }

  private static String anchorOf(NodeEvent event) {
    return event.getAnchor().map(Anchor::getValue).orElse("");
  }

  private void checkTag(Event event, Optional<String> tag) {
    tag.ifPresent(name ->
        report.mistake(
            line(event),
            column(event),
            "a value has the tag " + Quotation.of(name),
            "write the value without a tag"));
  }

  private String shared(String value) {
    int place = (value.hashCode() * 0x9e3779b9) >>> 20;
    String recent = recentTexts[place];
    if (value.equals(recent)) {
      return recent;
    }
    recentTexts[place] = value;
    return value;
  }

  private static int line(Event event) {
    return event.getStartMark().map(mark -> mark.getLine() + 1).orElse(1);
  }

  private static int column(Event event) {
    return event.getStartMark().map(mark -> mark.getColumn() + 1).orElse(1);
  }
}
