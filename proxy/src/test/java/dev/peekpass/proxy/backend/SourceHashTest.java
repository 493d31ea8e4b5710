package dev.peekpass.proxy.backend;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.proxy.route.IpAddress;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

final class SourceHashTest {
  private static final int CLIENTS = 10_000;
  private static final List<String> PATHS = List.of("/run/a", "/run/b", "/run/c", "/run/d");

  private final TestSockets sockets = new TestSockets(4);
  private final Rotation rotation = new SourceHash(PATHS);

  private int[] ofEach() {
    int[] chosen = new int[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
      IpAddress client = IpAddress.ofIpv4(0x0a000000 + i);
      chosen[i] = rotation.next(sockets, client.high(), client.low());
    }
    return chosen;
  }

  private int of(String address) {
    IpAddress client = IpAddress.parse(address).orElseThrow();
    return rotation.next(sockets, client.high(), client.low());
  }

  @Test
  void eachSocketGetsItsPartOfTheClientsAndAlwaysTheSame() {
    int[] chosen = ofEach();
    int[] counts = new int[4];
    for (int socket : chosen) {
      counts[socket]++;
    }
    for (int count : counts) {
      assertThat(count).isBetween(CLIENTS / 4 - 250, CLIENTS / 4 + 250);
    }
    assertThat(ofEach()).isEqualTo(chosen);
    assertThat(sockets.asked).isZero();
  }

  @Test
  void aSocketThatGoesMovesItsOwnClientsOnlyAndGetsThemBack() {
    int[] before = ofEach();
    sockets.mayTake[1] = false;
    int[] without = ofEach();
    int[] counts = new int[4];
    for (int i = 0; i < CLIENTS; i++) {
      if (before[i] != 1) {
        assertThat(without[i]).isEqualTo(before[i]);
      } else {
        counts[without[i]]++;
      }
    }
    assertThat(counts[1]).isZero();
    assertThat(Arrays.stream(counts).filter(count -> count > 600).count()).isEqualTo(3);
    sockets.mayTake[1] = true;
    assertThat(ofEach()).isEqualTo(before);
  }

  @Test
  void theOrderInTheFileDoesNotMatter() {
    Rotation reversed = new SourceHash(PATHS.reversed());
    int[] chosen = ofEach();
    for (int i = 0; i < CLIENTS; i++) {
      IpAddress client = IpAddress.ofIpv4(0x0a000000 + i);
      assertThat(3 - reversed.next(sockets, client.high(), client.low())).isEqualTo(chosen[i]);
    }
  }

  @Test
  void whileItStartsSlowlyASocketGetsMoreAndMoreOfItsClients() {
    int[] whole = ofEach();
    int before = 0;
    boolean[] had = new boolean[CLIENTS];
    for (int share : new int[] {20, 250, 500, 900, 1000}) {
      sockets.share[2] = share;
      int[] now = ofEach();
      int count = 0;
      for (int i = 0; i < CLIENTS; i++) {
        if (now[i] == 2) {
          assertThat(whole[i]).isEqualTo(2);
          count++;
        }
        assertThat(had[i] && now[i] != 2).as("a client that it had goes").isFalse();
        had[i] = now[i] == 2;
      }
      assertThat(count).isGreaterThan(before).isBetween(share * 9 / 4 - 150, share * 11 / 4 + 150);
      before = count;
    }
  }

  @Test
  void hostsOfAnIpv6NetworkAreOneClientAndNetworksAreNot() {
    assertThat(of("2001:db8::1")).isEqualTo(of("2001:db8::ffff:1:2:3"));
    assertThat(List.of(of("2001:db8:0:1::"), of("2001:db8:0:2::"), of("2001:db8:0:3::")))
        .isNotEqualTo(List.of(of("2001:db8:0:4::"), of("2001:db8:0:5::"), of("2001:db8:0:6::")));
    assertThat(of("192.0.2.1")).isEqualTo(of("::ffff:192.0.2.1"));
  }

  @Test
  void withoutAnyThereIsNone() {
    sockets.mayTake = new boolean[4];
    assertThat(of("192.0.2.1")).isEqualTo(Rotation.NONE);
  }
}
