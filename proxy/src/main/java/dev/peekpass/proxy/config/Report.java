package dev.peekpass.proxy.config;

import dev.peekpass.proxy.route.Reading;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/** Gathers the mistakes and warnings of one reading. */
final class Report {
  /** How many mistakes are kept: nobody reads more. */
  static final int MAX_MISTAKES = 1000;

  private static final Comparator<Mistake> BY_PLACE =
      Comparator.comparingInt(Mistake::line).thenComparingInt(Mistake::column);

  private final String file;
  private final List<Mistake> mistakes = new ArrayList<>();
  private final List<Mistake> warnings = new ArrayList<>();
  private long dropped;

  Report(String file) {
    this.file = file;
  }

  void mistake(YamlNode at, String message, String remedy) {
    mistake(at.line(), at.column(), message, remedy);
  }

  void mistake(int line, int column, String message, String remedy) {
    if (mistakes.size() == MAX_MISTAKES) {
      dropped++;
    } else {
      mistakes.add(new Mistake(file, line, column, message, remedy));
    }
  }

  /** Whether further mistakes are only counted, so that looking for a remedy is wasted. */
  boolean isFull() {
    return mistakes.size() == MAX_MISTAKES;
  }

  void warning(int line, int column, String message, String remedy) {
    if (warnings.size() < MAX_MISTAKES) {
      warnings.add(new Mistake(file, line, column, message, remedy));
    }
  }

  /** The value of a good reading; reports a bad one. */
  <T> Optional<T> good(YamlNode at, Reading<T> reading) {
    return switch (reading) {
      case Reading.Good<T>(T value) -> Optional.of(value);
      case Reading.Bad<T>(String problem, String remedy) -> {
        mistake(at, problem, remedy);
        yield Optional.empty();
      }
    };
  }

  boolean hasMistakes() {
    return !mistakes.isEmpty();
  }

  /** All mistakes by their place, and a last one that counts those that were not kept. */
  List<Mistake> mistakes() {
    List<Mistake> sorted = new ArrayList<>(mistakes);
    sorted.sort(BY_PLACE);
    if (dropped > 0) {
      Mistake last = sorted.getLast();
      sorted.add(
          new Mistake(
              file,
              last.line(),
              last.column(),
              "there are " + dropped + " more mistakes",
              "correct those above first"));
    }
    return sorted;
  }

  List<Mistake> warnings() {
    List<Mistake> sorted = new ArrayList<>(warnings);
    sorted.sort(BY_PLACE);
    return sorted;
  }
}
