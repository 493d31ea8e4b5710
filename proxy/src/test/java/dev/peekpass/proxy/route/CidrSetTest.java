package dev.peekpass.proxy.route;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class CidrSetTest {
  @Test
  void agreesWithAskingEveryBlock() {
    Random random = new Random(7);
    for (int round = 0; round < 300; round++) {
      List<Cidr> blocks = new ArrayList<>();
      for (int i = random.nextInt(12); i > 0; i--) {
        blocks.add(block(random));
      }
      CidrSet set = new CidrSet(blocks);
      for (int i = 0; i < 200; i++) {
        IpAddress probe = probe(random, blocks);
        assertThat(set.contains(probe.high(), probe.low()))
            .as("%s in %s", probe, blocks)
            .isEqualTo(blocks.stream().anyMatch(b -> b.contains(probe.high(), probe.low())));
      }
    }
  }

  private static Cidr block(Random random) {
    int bits = random.nextInt(129);
    long highMask = bits == 0 ? 0 : bits >= 64 ? -1 : -1L << (64 - bits);
    long lowMask = bits <= 64 ? 0 : -1L << (128 - bits);
    // Few distinct bits, so that blocks nest often; the sign bit, so that order is unsigned.
    long high = (random.nextLong() & 0x8001_0000_0000_0001L) & highMask;
    long low = (random.nextLong() & 0x8001_0000_0000_0003L) & lowMask;
    return new Cidr(new IpAddress(high, low), bits);
  }

  private static IpAddress probe(Random random, List<Cidr> blocks) {
    if (blocks.isEmpty() || random.nextInt(4) == 0) {
      return new IpAddress(random.nextLong(), random.nextLong());
    }
    Cidr near = blocks.get(random.nextInt(blocks.size()));
    IpAddress edge = random.nextBoolean() ? near.network() : near.last();
    return new IpAddress(edge.high(), edge.low() + random.nextInt(3) - 1);
  }

  @Test
  void keepsTheBlocksAsWritten() {
    List<Cidr> blocks = List.of(Names.cidr("10.0.0.0/8"), Names.cidr("10.1.0.0/16"));
    assertThat(new CidrSet(blocks).blocks()).isEqualTo(blocks);
  }
}
