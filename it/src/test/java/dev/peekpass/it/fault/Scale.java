package dev.peekpass.it.fault;

import java.util.Locale;

/** How much of everything: in short for {@code ./test}, or as the figures are published. */
enum Scale {
  /** Seconds for each scenario, on a machine that has other things to do. */
  QUICK(200),
  /** As published, but for what takes long. */
  FULL(2000),
  /** As published. */
  LONG(2000);

  /** New connections a second. */
  final int rate;

  Scale(int rate) {
    this.rate = rate;
  }

  /** As {@code -Dpeekpass.faults} says; {@code ./test --long} has everything. */
  static Scale configured() {
    if (Boolean.getBoolean("peekpass.long")) {
      return LONG;
    }
    return valueOf(System.getProperty("peekpass.faults", "quick").toUpperCase(Locale.ROOT));
  }

  int pick(int quick, int full) {
    return pick(quick, full, full);
  }

  int pick(int quick, int full, int longest) {
    return switch (this) {
      case QUICK -> quick;
      case FULL -> full;
      case LONG -> longest;
    };
  }

  /** Whether promises about time count: they need a machine that has nothing else to do. */
  boolean isTimed() {
    return this != QUICK;
  }
}
