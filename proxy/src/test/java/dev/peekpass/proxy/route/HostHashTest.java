package dev.peekpass.proxy.route;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.wire.HostName;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class HostHashTest {
  @Test
  void dependsOnTheSecret() {
    assertThat(new HostHash(12345).of(Names.host("a.example")))
        .isNotEqualTo(new HostHash(54321).of(Names.host("a.example")));
  }

  @Test
  void isTheHashOfTheCanonicalName() {
    HostHash hash = new HostHash(99);
    assertThat(hash.of(Names.host("A.Example."))).isEqualTo(hash.of(Names.host("a.example")));
    assertThat(hash.of(Names.host(""))).isEqualTo(HostHash.start());
  }

  @Test
  void tellsAPartOfANameFromAnother() {
    HostHash hash = new HostHash(0x1234_5678_9abc_def0L);
    Set<Long> values = new HashSet<>();
    int names = 0;
    // Every place of a dot, around the seven bytes of a block.
    for (int length = 1; length < 30; length++) {
      for (int dot = 1; dot < length - 1; dot++) {
        values.add(hash.of(Names.host("a".repeat(dot) + "." + "a".repeat(length - dot - 1))));
        names++;
      }
      values.add(hash.of(Names.host("a".repeat(length))));
      names++;
    }
    assertThat(values).hasSize(names);
  }

  @Test
  void spreadsTheLowBitsAndTellsWildcards() {
    HostHash hash = new HostHash(7);
    Set<Long> slots = new HashSet<>();
    for (int i = 0; i < 4096; i++) {
      slots.add(HostHash.finish(hash.of(Names.host("h" + i + ".example")), false) & 0xffff);
    }
    // 4096 balls into 65536 bins leave about 3970 of them filled.
    assertThat(slots).hasSizeBetween(3850, 4096);
    long value = hash.of(Names.host("example"));
    assertThat(HostHash.finish(value, true)).isNotEqualTo(HostHash.finish(value, false));
  }

  @Test
  void takesAnySecret() {
    for (long secret : new long[] {0, 1, -1, (1L << 61) - 1, Long.MIN_VALUE}) {
      HostHash hash = new HostHash(secret);
      assertThat(hash.of(Names.host("a.example"))).isNotEqualTo(hash.of(Names.host("b.example")));
    }
  }

  @Test
  void givesTheHashOfEverySuffixOnTheWay() {
    HostHash hash = new HostHash(0x0fed_cba9_8765_4321L);
    String name = "shop.a.example-of-length.com";
    HostName host = Names.host(name);
    for (int length = 0; length <= name.length(); length++) {
      long value = HostHash.start();
      int end = host.length();
      for (int left = length; left >= HostHash.BLOCK_BYTES; left -= HostHash.BLOCK_BYTES) {
        value = hash.add(value, HostHash.block(host, end));
        end -= HostHash.BLOCK_BYTES;
      }
      int rest = length % HostHash.BLOCK_BYTES;
      if (rest > 0) {
        value = hash.add(value, HostHash.end(HostHash.block(host, end), rest));
      }
      assertThat(value).isEqualTo(hash.of(Names.host(name.substring(name.length() - length))));
    }
  }

  @Test
  void seesEveryDotOfABlock() {
    assertThat(HostHash.dots(HostHash.block(Names.host("a.b/-.c"), 7)))
        .isEqualTo(0x8000_0000_8000L);
    assertThat(HostHash.dots(HostHash.block(Names.host("/-\u00ae/-/-"), 7))).isZero();
    assertThat(HostHash.dots(HostHash.block(Names.host("a......b"), 7)))
        .isEqualTo(0x8080_8080_8080L);
    assertThat(HostHash.dots(HostHash.block(Names.host("ab"), 2))).isZero();
  }
}
