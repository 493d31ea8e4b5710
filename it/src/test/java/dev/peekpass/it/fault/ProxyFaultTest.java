package dev.peekpass.it.fault;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.it.Running;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A proxy that is killed, replaced, reloaded and worn, under load. */
@Tag("processes")
class ProxyFaultTest {
  private static final Scale SCALE = Scale.configured();
  private static final int PAYLOAD_BYTES = 8192;
  private static final int DOWNLOAD_BYTES = 1 << 19;

  @TempDir private Path dir;

  @Test
  void downloads() throws Exception {
    int count = SCALE.pick(1_000, 10_000);
    Figures figures =
        new Figures("downloads", "kill -9 of the proxy with slow downloads under way", SCALE);
    try (Deployment all = new Deployment(dir, DOWNLOAD_BYTES)) {
      // Two, since each download takes two descriptors of its backend.
      all.serve("a");
      all.serve("b");
      all.configure(1, "a", "b");
      Running proxy = all.proxy();
      long before = all.warmUp(proxy);
      try (LoadProgram load = all.hold(count)) {
        int underWay = load.awaitHeld();
        long busy = Deployment.settled(proxy, before);
        proxy.kill();
        load.release();
        figures.count(load.await(), entry -> false);
        figures.add("%,d of %,d under way at that moment", underWay, count);
        figures.promise("all were under way", underWay == count);
        figures.promiseAllServed();
        figures.descriptors(before, busy);
      }
    }
    figures.finish();
  }

  @Test
  @Timeout(value = 15, unit = TimeUnit.MINUTES)
  void takeovers() throws Exception {
    int times = SCALE.pick(4, 100);
    Figures figures = new Figures("takeovers", "planned restart of the proxy, by takeover", SCALE);
    try (Deployment all = new Deployment(dir, PAYLOAD_BYTES)) {
      all.serve("a");
      all.configure(1, "a");
      // What a proxy inherits is one descriptor more than what it binds, so let this one inherit.
      Running first = all.proxy();
      Running current = all.proxy("--takeover");
      assertThat(first.await()).as(first.errors()).isZero();
      long before = all.warmUp(current);
      try (LoadProgram load = all.load(SCALE.rate)) {
        load.awaitMore(SCALE.rate / 2);
        for (int i = 0; i < times; i++) {
          Running next = all.proxy("--takeover");
          assertThat(current.await()).as(current.errors()).isZero();
          current = next;
          load.awaitMore(SCALE.rate / 10);
        }
        load.awaitMore(SCALE.rate / 2);
        figures.count(load.stop(), entry -> false);
        figures.promiseAllServed();
        figures.descriptors(before, Deployment.settled(current, before));
      }
      all.servers.getFirst().stop();
      figures.promise("none is handled twice", all.handledTwice() == 0);
      figures.add("%d restarts", times);
    }
    figures.finish();
  }

  @Test
  void proxyKilled() throws Exception {
    int times = SCALE.pick(2, 10);
    Figures figures =
        new Figures("proxyKilled", "kill -9 of the proxy, and a new start of it", SCALE);
    try (Deployment all = new Deployment(dir, PAYLOAD_BYTES)) {
      Running server = all.serve("a");
      all.configure(1, "a");
      Running proxy = all.proxy();
      long before = all.warmUp(proxy);
      List<Long> kills = new ArrayList<>();
      List<Long> heard = new ArrayList<>();
      List<Entry> entries;
      try (LoadProgram load = all.load(SCALE.rate)) {
        for (int i = 0; i < times; i++) {
          load.awaitMore(SCALE.rate / 2, Entry::isServed);
          boolean underOffer = i % 2 == 1;
          if (underOffer) {
            // What is offered to a backend that does not answer dies unacknowledged with the proxy.
            Signal.STOP.send(server.process.pid());
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(50));
          }
          kills.add(System.nanoTime() / 1000);
          proxy.kill();
          if (underOffer) {
            Signal.CONT.send(server.process.pid());
          }
          proxy = all.proxy();
          load.awaitMore(SCALE.rate / 2, Entry::isServed);
          heard.add(listening(load.entries(), kills.getLast()));
        }
        entries = load.stop();
        figures.descriptors(before, Deployment.settled(proxy, before));
      }
      assertThat(proxy.stop()).isZero();
      server.stop();
      Set<Integer> handled = all.handled().keySet();
      // Those that a backend had are none of the proxy's any more.
      figures.count(entries, entry -> !handled.contains(entry.number()));
      figures.promise("none that a backend had is lost", figures.number("lost_otherwise") == 0);
      figures.promise("none is handled twice", all.handledTwice() == 0);
      long slowest = 0;
      List<String> lateFailures = new ArrayList<>();
      for (int i = 0; i < times; i++) {
        slowest = Math.max(slowest, heard.get(i) - kills.get(i));
        long from = heard.get(i);
        // Those that fail at the next kill have waited for a start on a busy machine.
        long to = i + 1 < times ? kills.get(i + 1) : Long.MAX_VALUE;
        entries.stream()
            .filter(e -> e.isFailed() && e.begunMicros() > from && e.endedMicros() < to)
            .map(e -> "%s after %,d µs".formatted(e, e.begunMicros() - from))
            .forEach(lateFailures::add);
      }
      figures.promise(
          "none fails once it listens again"
              + lateFailures.stream().limit(3).map(e -> "; " + e).collect(Collectors.joining()),
          lateFailures.isEmpty());
      figures.add(
          "%d times; listening again %s after the kill, at most, the JVM's start included",
          times, Figures.millis(slowest));
      figures.promiseInTime("it listens again within a second", slowest < 1_000_000);
    }
    figures.finish();
  }

  /** When the first connection was opened after those that nobody listened for. */
  private static long listening(List<Entry> entries, long kill) {
    long refused =
        entries.stream()
            .filter(e -> e.failedAtConnect() && e.begunMicros() > kill)
            .mapToLong(Entry::begunMicros)
            .max()
            .orElse(kill);
    return entries.stream()
        .filter(e -> e.isServed() && e.begunMicros() > refused)
        .mapToLong(Entry::begunMicros)
        .min()
        .orElseThrow();
  }

  @Test
  @Timeout(value = 30, unit = TimeUnit.MINUTES)
  void reloads() throws Exception {
    int seconds = SCALE.pick(3, 30, 600);
    int rate = SCALE.pick(30, 100);
    int times = rate * seconds;
    Figures figures = new Figures("reloads", "reloads under load", SCALE);
    try (Deployment all = new Deployment(dir, PAYLOAD_BYTES)) {
      all.serve("a");
      configure(all, 0);
      Running proxy = all.proxy();
      long before = all.warmUp(proxy);
      try (LoadProgram load = all.load(SCALE.rate)) {
        load.awaitMore(SCALE.rate);
        long begun = System.nanoTime();
        Resident resident = new Resident(proxy);
        for (int i = 1; i <= times; i++) {
          configure(all, i);
          assertThat(all.command("reload")).startsWith("{\"ok\":true,");
          if (i % rate == 0) {
            resident.sample();
          }
          LockSupport.parkNanos(begun + TimeUnit.SECONDS.toNanos(1) * i / rate - System.nanoTime());
        }
        double took = (System.nanoTime() - begun) / 1e9;
        configure(all, 0);
        assertThat(all.command("reload")).startsWith("{\"ok\":true,");
        load.awaitMore(SCALE.rate / 2);
        figures.count(load.stop(), entry -> false);
        figures.promiseAllServed();
        figures.descriptors(before, Deployment.settled(proxy, before));
        figures.add(
            "%,d reloads, %.0f a second; resident memory %s", times, times / took, resident);
        if (SCALE == Scale.LONG) {
          figures.promise("resident memory is flat, ± 2 %", resident.isFlat());
        } else {
          figures.promise("resident memory does not grow by a quarter", !resident.isGrowing());
        }
      }
      assertThat(proxy.errors()).doesNotContain("ERROR", "fault");
    }
    figures.finish();
  }

  /** Something of every kind changes: a backend's option, a route, an option of the whole. */
  private static void configure(Deployment all, int variant) throws Exception {
    String more = variant % 2 == 0 ? "" : ", max-queue: 9999";
    String route = variant % 3 == 0 ? "" : "- { host: more.example.test, backend: web }\n";
    all.configure(
        1,
        variant % 5 == 4,
        "web: { handoff: %s, method: acknowledged%s }".formatted(all.unix("a"), more),
        route + "- { host: %s, backend: web }".formatted(Deployment.HOST));
  }

  @Test
  @Timeout(value = 30, unit = TimeUnit.MINUTES)
  void soak() throws Exception {
    int connections = SCALE.pick(20_000, 100_000, 1_000_000);
    int rate = 2_000;
    Figures figures = new Figures("soak", "nothing happens but connections", SCALE);
    try (Deployment all = new Deployment(dir, PAYLOAD_BYTES)) {
      all.serve("a", "--quiet");
      all.configure(
          1,
          false,
          "web: { handoff: %s, method: acknowledged }".formatted(all.unix("a")),
          "- { host: %s, backend: web }".formatted(Deployment.HOST));
      Running proxy = all.proxy();
      long before = all.warmUp(proxy);
      try (LoadProgram load = all.load(rate, "-n", "" + connections, "-c", "500")) {
        Resident resident = new Resident(proxy);
        int step = connections / 50;
        while (load.done() < connections - step) {
          load.awaitMore(step);
          resident.sample();
        }
        figures.count(load.await(), entry -> false);
        figures.promiseAllServed();
        figures.descriptors(before, Deployment.settled(proxy, before));
        figures.add("resident memory %s", resident);
        if (SCALE == Scale.LONG) {
          figures.promise("resident memory is flat, ± 2 %", resident.isFlat());
        }
      }
    }
    figures.finish();
  }

  /** The resident memory of a process over time, without the first fifth: that warms it up. */
  private static final class Resident {
    private final Running of;
    private final List<Long> kib = new ArrayList<>();

    Resident(Running of) {
      this.of = of;
    }

    void sample() {
      kib.add(Deployment.residentKib(of));
    }

    /** The mean of the first half of the samples, or of the second. */
    private double mean(boolean second) {
      int from = kib.size() / 5;
      int half = (from + kib.size()) / 2;
      return (second ? kib.subList(half, kib.size()) : kib.subList(from, Math.max(from + 1, half)))
          .stream().mapToLong(n -> n).average().orElse(0);
    }

    boolean isFlat() {
      return Math.abs(mean(true) / mean(false) - 1) <= 0.02;
    }

    /** For few samples, which see a sawtooth rather than a line. */
    boolean isGrowing() {
      return mean(true) > 1.25 * mean(false);
    }

    @Override
    public String toString() {
      return "%.1f MiB in the first half, %.1f in the second (%+.1f %%)"
          .formatted(mean(false) / 1024, mean(true) / 1024, 100 * (mean(true) / mean(false) - 1));
    }
  }
}
