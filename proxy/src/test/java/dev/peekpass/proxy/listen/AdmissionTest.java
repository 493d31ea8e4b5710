package dev.peekpass.proxy.listen;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.ErrorLog;
import dev.peekpass.proxy.Tests;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What the log says of clients that are turned away. */
final class AdmissionTest {
  private static final long SECOND = 1_000_000_000L;
  private static final long MAPPED = 0xffff_0000_0000L;

  private final Turns turns = new Turns();
  private final Clients clients = new Clients(turns.turn);
  private final List<String> lines = new CopyOnWriteArrayList<>();

  AdmissionTest() throws SystemCallException {}

  @BeforeEach
  void listen() {
    ErrorLog.listen(line -> {
      if (line.contains("turned away")) {
        lines.add(line);
      }
    });
  }

  @AfterEach
  void stop() {
    ErrorLog.listen(null);
  }

  @Test
  void theNumberOfAMinuteIsSaidWhenItIsOver() {
    var config =
        Tests.configuration(
                """
                listeners: [ { bind: "127.0.0.1:0", deny: 192.0.2.0/24 } ]
                backends: { web: { handoff: "unix:/run/web.sock" } }
                routes: [ { host: a, backend: web } ]
                """)
            .listeners()
            .getFirst();
    ClientCounts counts = new ClientCounts(clients, config.perClient(), "here");
    counts.open();
    Admission admission = new Admission(turns.turn, clients, config, "here");
    turns.later(SECOND);
    assertThat(admission.runTimers(counts, turns.turn.nowNanos())).isEqualTo(Long.MAX_VALUE);

    for (int i = 1; i <= 1000; i++) {
      admission.count(counts, Refusal.DENIED, 0, MAPPED | 0xc0000200L | i % 200);
    }
    long end = turns.turn.nowNanos() + 60 * SECOND;
    assertThat(admission.runTimers(counts, turns.turn.nowNanos())).isEqualTo(end);
    expectLines("192.0.2.1 is turned away, 1 so far");
    turns.later(60 * SECOND);
    assertThat(admission.runTimers(counts, turns.turn.nowNanos())).isEqualTo(end + 60 * SECOND);
    expectLines("192.0.2.0 is turned away, 1000 so far");

    // Within the next minute there is none, and at its end neither, since nobody came.
    turns.later(60 * SECOND);
    assertThat(admission.runTimers(counts, turns.turn.nowNanos())).isEqualTo(Long.MAX_VALUE);
    expectLines();
    admission.count(counts, Refusal.DENIED, 0, MAPPED | 0xc0000207L);
    expectLines("192.0.2.7 is turned away, 1001 so far");
  }

  private void expectLines(String... expected) {
    assertThat(lines).hasSize(expected.length);
    for (int i = 0; i < expected.length; i++) {
      assertThat(lines.get(i)).contains(expected[i]);
    }
    lines.clear();
  }
}
