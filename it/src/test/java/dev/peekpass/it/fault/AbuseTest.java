package dev.peekpass.it.fault;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.UnixOperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A proxy that is abused by its clients, and what its good clients notice of it. */
@Tag("processes")
@Timeout(value = 15, unit = TimeUnit.MINUTES)
class AbuseTest {
  private static final Scale SCALE = Scale.configured();

  /**
   * How many connections the attackers open a second, in the place of those that are closed too.
   */
  private static final int RATE = SCALE.pick(2000, 5000);

  private static final int MANY = 250;
  private static final int MILLIS = SCALE.pick(1200, 5000);

  /** What a proxy needs beside those of its clients, its spare ones included. */
  private static final int OTHER_DESCRIPTORS = 100;

  @TempDir private static Path shared;

  @TempDir private Path dir;

  /** In short all scenarios that need no other one share a proxy; at length each has its own. */
  private static @Nullable AbuseSite site;

  @AfterAll
  static void closeSite() {
    AbuseSite last = site;
    site = null;
    if (last != null) {
      last.close();
    }
  }

  private static Attack attack(String name, String title, String mode, int open, int addresses) {
    String from = addresses == 1 ? "one" : "many";
    return new Attack(name + "-" + from, title, mode, open, addresses, RATE, 0, MILLIS);
  }

  /** Those of both, or in short those of the second. */
  private static List<Attack> fromOneAndMany(String name, String title, String mode, int open) {
    List<Attack> both = new ArrayList<>();
    if (SCALE != Scale.QUICK) {
      both.add(attack(name, title, mode, open, 1));
    }
    both.add(attack(name, title, mode, open, MANY));
    return both;
  }

  private void bear(List<Attack> attacks) throws Exception {
    if (SCALE != Scale.QUICK) {
      bear(0, "", attacks);
      return;
    }
    AbuseSite at = site;
    if (at == null) {
      at = new AbuseSite(shared, SCALE, 0, "");
      site = at;
    }
    List<String> broken = new ArrayList<>();
    for (Attack attack : attacks) {
      broken.addAll(at.bear(attack));
    }
    assertThat(broken).isEmpty();
  }

  private void bear(int descriptors, String listener, List<Attack> attacks) throws Exception {
    List<String> broken = new ArrayList<>();
    try (AbuseSite site = new AbuseSite(dir, SCALE, descriptors, listener)) {
      for (Attack attack : attacks) {
        broken.addAll(site.bear(attack));
      }
    }
    assertThat(broken).isEmpty();
  }

  /** Skips, by name, what needs more descriptors than a process may have here. */
  private static void requireDescriptors(int count) {
    // A JVM raises its own limit to the hard one, as the proxy's does.
    long most =
        ((UnixOperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
            .getMaxFileDescriptorCount();
    Assumptions.assumeTrue(
        most >= count,
        () ->
            "SKIPPED: the proxy needs %,d descriptors, and the hard limit (ulimit -Hn) is %,d"
                .formatted(count, most));
  }

  @Test
  void idle() throws Exception {
    int open = SCALE.pick(2000, 20_000);
    // As many as max-pending lets wait; the others go as they come.
    requireDescriptors(Math.min(open, 16_384) + OTHER_DESCRIPTORS);
    List<Attack> attacks = new ArrayList<>();
    attacks.addAll(fromOneAndMany("silent", "connected, and silent", "silent", open));
    attacks.addAll(fromOneAndMany("byte", "a byte, then silent", "byte", open));
    bear(attacks);
  }

  @Test
  void drip() throws Exception {
    int open = SCALE.pick(500, 5000);
    requireDescriptors(open + OTHER_DESCRIPTORS);
    bear(fromOneAndMany("drip", "a byte a second", "drip", open));
  }

  @Test
  void segments() throws Exception {
    bear(fromOneAndMany("segments", "endless heads and hellos, a byte a segment", "segments", 50));
  }

  @Test
  void announced() throws Exception {
    bear(fromOneAndMany("announced", "16 MiB announced, and sent", "announced", 50));
  }

  @Test
  void http2() throws Exception {
    bear(
        List.of(
            attack(
                "continuations",
                "2,000 empty CONTINUATIONs behind a header list",
                "continuations",
                200,
                MANY),
            attack("hpack", "header lists that grow when decoded", "hpack", 200, MANY)));
  }

  @Test
  void resets() throws Exception {
    List<Attack> attacks = new ArrayList<>();
    for (String step : List.of("connect", "byte", "half", "whole", "transit")) {
      String title =
          switch (step) {
            case "connect" -> "RST after connect";
            case "byte" -> "RST after a byte";
            case "half" -> "RST in the middle of a hello or head";
            case "whole" -> "RST at once after a hello or head";
            default -> "RST within 2 ms after a hello or head, on its way to the backend";
          };
      int count = SCALE.pick(1000, 100_000);
      attacks.add(
          new Attack("reset-" + step, title, "reset-" + step, 500, MANY, RATE, count, 60_000));
    }
    bear(attacks);
  }

  /** At twice its limit of descriptors, for a minute. */
  @Test
  void flood() throws Exception {
    // So that each of the many has several, and a good client one.
    int descriptors = SCALE.pick(500, 1024);
    int many = 100;
    List<Attack> attacks = new ArrayList<>();
    for (int addresses : new int[] {1, many}) {
      attacks.add(
          new Attack(
              "flood-" + (addresses == 1 ? "one" : "many"),
              "a proxy with %,d descriptors, and twice as many that send a byte"
                  .formatted(descriptors),
              "byte",
              2 * descriptors,
              addresses,
              RATE,
              0,
              SCALE.pick(1200, 30_000)));
    }
    bear(descriptors, "", attacks);
  }

  /** One hostile address among good ones, where max-pending is what there is too little of. */
  @Test
  void crowd() throws Exception {
    int pending = 200;
    bear(
        0,
        ", max-pending: " + pending,
        List.of(
            attack(
                "crowd",
                "max-pending: %d, and ten times as many that send a byte".formatted(pending),
                "byte",
                10 * pending,
                1)));
  }
}
