package dev.peekpass.proxy.connection;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peekpass.proxy.Tests.Idle;
import org.junit.jupiter.api.Test;

class ConnectionQueueTest {
  private final ConnectionQueue queue = new ConnectionQueue(Stage.UNWATCHED);
  private final ConnectionQueue other = new ConnectionQueue(Stage.UNWATCHED);
  private final Connection a = Idle.connection();
  private final Connection b = Idle.connection();
  private final Connection c = Idle.connection();

  @Test
  void anEmptyQueueIsNeverDue() {
    assertThat(queue.nextDeadlineNanos()).isEqualTo(Long.MAX_VALUE);
    assertThat(queue.first()).isNull();
    assertThat(queue.firstExpired(Long.MAX_VALUE)).isNull();
  }

  @Test
  void connectionsLeaveInTheOrderTheyCame() {
    queue.add(a, 10);
    queue.add(b, 20);
    queue.add(c, 20);

    assertThat(queue.firstExpired(9)).isNull();
    for (Connection next : new Connection[] {a, b, c}) {
      assertThat(queue.firstExpired(20)).isSameAs(next);
      other.add(next);
    }
    assertThat(queue.isEmpty()).isTrue();
  }

  @Test
  void anExpiredConnectionStaysUntilItGoesSomewhere() {
    queue.add(a, 1);

    assertThat(queue.firstExpired(2)).isSameAs(a);
    assertThat(queue.firstExpired(2)).isSameAs(a);
    assertThat(a.isIn(queue)).isTrue();
  }

  @Test
  void oneInTheMiddleCanLeave() {
    queue.add(a, 1);
    queue.add(b, 2);
    queue.add(c, 3);
    b.leave();

    assertThat(b.hasEnded()).isTrue();
    assertThat(queue.size()).isEqualTo(2);
    assertThat(queue.first()).isSameAs(a);
    assertThat(queue.after(a)).isSameAs(c);
    a.leave();
    c.leave();
    assertThat(queue.isEmpty()).isTrue();
    queue.add(b, 4);
    assertThat(queue.nextDeadlineNanos()).isEqualTo(4);
  }

  @Test
  void comingInTakesItOutOfWhereItStood() {
    queue.add(a, 1);
    other.add(a, 1);

    assertThat(a.isIn(other)).isTrue();
    assertThat(queue.isEmpty()).isTrue();
    assertThat(other.size()).isEqualTo(1);
  }

  @Test
  void whatComesBackStandsWhereItsDeadlineSays() {
    queue.add(a, 1);
    queue.add(b, 2);
    queue.add(c, 3);
    other.add(b);
    queue.putBack(b);

    assertThat(queue.after(a)).isSameAs(b);
    assertThat(queue.after(b)).isSameAs(c);
    assertThat(queue.size()).isEqualTo(3);
  }

  @Test
  void aConnectionEndsOnce() {
    queue.add(a, 1);
    a.leave();

    assertThatThrownBy(a::leave).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> queue.remove(b)).isInstanceOf(IllegalStateException.class);
  }
}
