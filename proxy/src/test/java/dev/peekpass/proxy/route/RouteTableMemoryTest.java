package dev.peekpass.proxy.route;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.management.ManagementFactory;
import java.lang.ref.Reference;
import java.util.List;
import org.junit.jupiter.api.Test;

/** How much memory a table takes, measured on the heap after a full collection. */
final class RouteTableMemoryTest {
  private static final int NAMES = 300_000;

  @Test
  void aNameWithARouteTakesFewBytesBeyondItself() {
    // Once without measuring, for what the JVM loads and keeps.
    assertThat(table().nameCount()).isEqualTo(NAMES);
    long before = usedBytes();
    RouteTable table = table();
    long used;
    try {
      used = usedBytes() - before;
      assertThat(table.nameCount()).isEqualTo(NAMES);
    } finally {
      Reference.reachabilityFence(table);
    }
    double beyond = (used - nameBytes()) / (double) NAMES;
    // 13 in the record, 4 of the bucket, 12 of the route; what the JVM itself keeps is far less
    // than 2 a name.
    assertThat(beyond).as("bytes a name beyond the name").isBetween(28.0, 32.0);
  }

  private static String name(int index) {
    return (index % 10 == 9 ? "*." : "www.") + "shop" + index + ".example.com";
  }

  private static RouteTable table() {
    RouteTableBuilder builder = new RouteTableBuilder();
    for (int i = 0; i < NAMES; i++) {
      builder.add(
          List.of(Names.pattern(name(i))), List.of(), List.of(), "b" + i % 50, i % 50, i + 1);
    }
    return builder.build();
  }

  private static long nameBytes() {
    long bytes = 0;
    for (int i = 0; i < NAMES; i++) {
      bytes += name(i).replace("*.", "").length();
    }
    return bytes;
  }

  private static long usedBytes() {
    // The serial collector leaves some dead objects where they are, but not at every fourth time.
    for (int i = 0; i < 4; i++) {
      System.gc();
    }
    return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
  }
}
