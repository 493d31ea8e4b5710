package dev.peekpass.proxy.connection;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peekpass.proxy.Tests.Idle;
import org.junit.jupiter.api.Test;

class ConnectionQueueTest {
  private final ConnectionQueue queue = new ConnectionQueue();
  private final Connection a = Idle.connection();
  private final Connection b = Idle.connection();
  private final Connection c = Idle.connection();

  @Test
  void anEmptyQueueIsNeverDue() {
    assertThat(queue.nextDeadlineNanos()).isEqualTo(Long.MAX_VALUE);
    assertThat(queue.first()).isNull();
    assertThat(queue.pollExpired(Long.MAX_VALUE)).isNull();
  }

  @Test
  void connectionsLeaveInTheOrderTheyCame() {
    queue.add(a, 10);
    queue.add(b, 20);
    queue.add(c, 20);

    assertThat(queue.pollExpired(9)).isNull();
    assertThat(queue.pollExpired(20)).isSameAs(a);
    assertThat(queue.pollExpired(20)).isSameAs(b);
    assertThat(queue.pollExpired(20)).isSameAs(c);
    assertThat(queue.isEmpty()).isTrue();
  }

  @Test
  void oneInTheMiddleCanLeave() {
    queue.add(a, 1);
    queue.add(b, 2);
    queue.add(c, 3);
    queue.remove(b);

    assertThat(queue.size()).isEqualTo(2);
    assertThat(queue.pollExpired(9)).isSameAs(a);
    assertThat(queue.first()).isSameAs(c);
    queue.remove(c);
    assertThat(queue.isEmpty()).isTrue();
    queue.add(b, 4);
    assertThat(queue.nextDeadlineNanos()).isEqualTo(4);
  }

  @Test
  void aConnectionStandsInOneQueueAtATime() {
    queue.add(a, 1);

    assertThatThrownBy(() -> new ConnectionQueue().add(a, 1))
        .isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> queue.remove(b)).isInstanceOf(IllegalStateException.class);
  }
}
