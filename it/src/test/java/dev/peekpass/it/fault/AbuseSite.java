package dev.peekpass.it.fault;

import dev.peekpass.it.Running;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;

/**
 * A proxy with one thread before two backends: one for good clients, and one for those that abuse
 * it and get as far as that.
 *
 * <p>Good clients come at a steady rate, from 250 addresses and [::1], each with a request on a
 * connection of its own; every second head comes in two segments, {@link #SPLIT_MILLIS} apart. They
 * come in quiet times and while the proxy is attacked, by turns, so that what else the machine does
 * falls on both. The attackers, and the backend that they reach, yield the processors to others
 * (nice).
 */
final class AbuseSite implements AutoCloseable {
  static final String ABUSED_HOST = "abused.example.test";

  private static final int PAYLOAD_BYTES = 2048;
  private static final int RATE = 150;
  private static final int SPLIT_MILLIS = 100;

  /**
   * What the JVM may take more than before, whatever comes: compiled code, and a heap that grew.
   */
  private static final long GROWTH_KIB = 48 << 10;

  /** What one that is pending may take: about 1,100 bytes, and as much again until collected. */
  private static final long PENDING_KIB = 2;

  private static final long LOG_BYTES_A_MINUTE = 16 << 10;

  /** How long what is over is given to be over on a machine that has other things to do. */
  private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(30);

  private static final long UNDER_WAY_MICROS = 1_000_000;
  private static final long RECOVERED_MICROS = 1_000_000;
  private static final long IDLE_CPU_MILLIS = 100;

  private final Scale scale;
  private final Deployment all;
  private final Running proxy;
  private final long descriptors;
  private final long residentFirst;
  private long mostPending;

  /**
   * Starts all.
   *
   * @param descriptors the proxy's limit of them; 0 for what it inherits
   * @param listener more of the listener's options, each behind a comma
   */
  AbuseSite(Path dir, Scale scale, int descriptors, String listener) throws IOException {
    this.scale = scale;
    all = new Deployment(dir, PAYLOAD_BYTES);
    all.ipv6 = Files.exists(Path.of("/proc/net/if_inet6"));
    all.serve("a", "--quiet");
    all.serveAside("b", "--quiet");
    all.configure(
        1,
        false,
        listener,
        """
        web: { handoff: %s, method: acknowledged }
        abused: { handoff: %s, method: acknowledged, hand-off-timeout: 2s }
        """
            .formatted(all.unix("a"), all.unix("b")),
        """
        - { host: %s, backend: web }
        - { host: %s, backend: abused }
        """
            .formatted(Deployment.HOST, ABUSED_HOST));
    proxy = all.proxy(descriptors);
    this.descriptors = all.warmUp(proxy);
    residentFirst = Deployment.residentKib(proxy);
  }

  /** A time in which it was quiet, or was not. */
  private record Span(long from, long to) {
    boolean has(Entry entry) {
      return entry.begunMicros() >= from && entry.begunMicros() < to;
    }

    /** Whether a connection was under way in it, and not for long before. */
    boolean hasUnderWay(Entry entry) {
      return entry.begunMicros() >= from - UNDER_WAY_MICROS
          && entry.begunMicros() < to
          && entry.endedMicros() >= from;
    }
  }

  private static long micros() {
    return System.nanoTime() / 1000;
  }

  private static void pause(long millis) {
    LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(millis));
  }

  /** Makes an attack, between quiet times; returns the promises that were broken. */
  List<String> bear(Attack attack) throws IOException {
    int rounds = scale.pick(1, 2);
    long quietMillis = scale.pick(300, 3000);
    Figures figures = new Figures("abuse-" + attack.name(), attack.title(), scale);
    long logBefore = proxy.errors().length();
    long begun = micros();
    long stoodStill = ProxyCounts.of(all).stoodStill();
    long loadAverage = loadAverageCenti();
    long slowestRecovery = 0;
    List<Span> quiet = new ArrayList<>();
    List<Span> attacked = new ArrayList<>();
    List<Span> hangUps = new ArrayList<>();
    Map<String, Long> done = new TreeMap<>();
    List<Entry> entries;
    try (LoadProgram load = load();
        ProxyWatch watch = new ProxyWatch(all, proxy)) {
      load.awaitMore(RATE / 3);
      for (int round = 0; round < rounds; round++) {
        quiet.add(quiet(quietMillis));
        long from = micros();
        long end;
        try (AbuseProgram program =
            AbuseProgram.start(all.dir, attack.name(), all.port, attack.inRounds(rounds), round)) {
          Map<String, Long> counts = program.await();
          end = counts.getOrDefault(AbuseProgram.ENDED_AT, 0L);
          counts.remove(AbuseProgram.ENDED_AT);
          counts.forEach((name, count) -> done.merge(name, count, Long::sum));
        }
        long over = micros();
        awaitNormal(load);
        slowestRecovery = Math.max(slowestRecovery, micros() - over);
        attacked.add(new Span(from, end));
        hangUps.add(new Span(end, micros()));
      }
      quiet.add(quiet(quietMillis));
      entries = load.stop();
      remember(figures, watch);
    }
    awaitIdle(figures);
    figures.count(entries, entry -> false);
    figures.promise(
        "some of them come by IPv6, if there is any",
        !all.ipv6 || entries.stream().anyMatch(entry -> entry.client().startsWith("[::1]")));
    figures.promise(
        "no good client is refused or fails",
        figures.number("served") == figures.number("connections"));
    latencies(figures, entries, quiet, attacked, hangUps);
    figures.put("load_centi", loadAverage);
    figures.put("recovered_us", slowestRecovery);
    figures.promiseInTime("it recovers within a second", slowestRecovery < RECOVERED_MICROS);
    figures.descriptors(descriptors, Deployment.settled(proxy, descriptors));
    log(figures, proxy.errors().length() - logBefore, micros() - begun);
    ProxyCounts counts = ProxyCounts.of(all);
    figures.put("stood_still", counts.stoodStill() - stoodStill);
    figures.promise("there is no fault in it", counts.faults() == 0);
    figures.promise("it lives", proxy.process.isAlive());
    done(figures, attack, done);
    return figures.write();
  }

  private LoadProgram load() throws IOException {
    String split = "" + SPLIT_MILLIS;
    return all.ipv6 ? all.load(RATE, "-s", split, "-6") : all.load(RATE, "-s", split);
  }

  /** How much the machine had to do before, in hundredths (proc_loadavg(5)); also of others. */
  private static long loadAverageCenti() throws IOException {
    String first = Files.readString(Path.of("/proc/loadavg")).split(" ", 2)[0];
    return Math.round(Double.parseDouble(first) * 100);
  }

  private static Span quiet(long millis) {
    long from = micros();
    pause(millis);
    return new Span(from, micros());
  }

  /** Waits until nothing is pending but good clients, of which some always are. */
  private void awaitNormal(LoadProgram load) throws IOException {
    long usual = 2L * RATE * SPLIT_MILLIS / 1000;
    long until = System.nanoTime() + PATIENCE_NANOS;
    while (System.nanoTime() < until) {
      ProxyCounts counts = ProxyCounts.of(all);
      if (counts.pending() <= usual
          && counts.queued() + counts.waiting() <= usual
          && Deployment.descriptors(proxy) <= descriptors + 2 * usual) {
        return;
      }
      pause(5);
    }
    throw new AssertionError(
        "it does not recover: " + ProxyCounts.of(all) + ", good clients served: " + load.done());
  }

  private void awaitIdle(Figures figures) throws IOException {
    long until = System.nanoTime() + PATIENCE_NANOS;
    while (!ProxyCounts.of(all).isIdle() && System.nanoTime() < until) {
      pause(5);
    }
    ProxyCounts counts = ProxyCounts.of(all);
    figures.promise("each accepted connection has one outcome: " + counts, counts.isIdle());
    long before = ProxyWatch.cpuMillis(proxy);
    pause(scale.pick(200, 1000));
    long spent = ProxyWatch.cpuMillis(proxy) - before;
    figures.put("idle_cpu_ms", spent);
    figures.promise("it is idle when nothing happens", spent <= IDLE_CPU_MILLIS);
  }

  private void remember(Figures figures, ProxyWatch watch) {
    // However many attacks were before this one.
    mostPending = Math.max(mostPending, watch.pending());
    long bound = residentFirst + GROWTH_KIB + PENDING_KIB * mostPending;
    figures.put("resident_before_kib", residentFirst);
    figures.put("resident_most_kib", watch.residentKib());
    figures.put("resident_bound_kib", bound);
    figures.put("pending_most", watch.pending());
    figures.put("status_us", watch.answerMicros());
    figures.promise("its memory is bounded", watch.residentKib() <= bound);
    figures.promise("it gave its status meanwhile", watch.answers() > 0);
  }

  private static void latencies(
      Figures figures,
      List<Entry> entries,
      List<Span> quiet,
      List<Span> attacked,
      List<Span> hangUps) {
    List<Entry> served = LoadProgram.only(entries, Entry::isServed);
    List<Entry> before = in(served, quiet);
    // Those that were under way when all attackers hung up at once are told apart.
    Predicate<Entry> atHangUp = e -> hangUps.stream().anyMatch(span -> span.hasUnderWay(e));
    List<Entry> meanwhile = in(LoadProgram.only(served, atHangUp.negate()), attacked);
    figures.put("quiet_connections", before.size());
    figures.put("attacked_connections", meanwhile.size());
    for (int percent : new int[] {50, 99, 100}) {
      String name = percent == 100 ? "max" : "p" + percent;
      figures.put("quiet_" + name + "_us", Figures.percentile(before, percent));
      figures.put("attacked_" + name + "_us", Figures.percentile(meanwhile, percent));
    }
    figures.put("hang_up_max_us", Figures.percentile(LoadProgram.only(served, atHangUp), 100));
    figures.promiseInTime(
        "good clients' p99 is at most twice that of quiet times",
        figures.number("attacked_p99_us") <= 2 * figures.number("quiet_p99_us"));
  }

  private static List<Entry> in(List<Entry> entries, List<Span> spans) {
    return LoadProgram.only(entries, e -> spans.stream().anyMatch(span -> span.has(e)));
  }

  private static void log(Figures figures, long bytes, long micros) {
    double minutes = Math.max(1.0, micros / 60e6);
    figures.put("log_bytes", bytes);
    figures.promise("its log is bounded", bytes / minutes <= LOG_BYTES_A_MINUTE);
  }

  private static void done(Figures figures, Attack attack, Map<String, Long> done) {
    done.forEach((name, count) -> figures.put("abuse_" + name.replace('-', '_'), count));
    figures.put("addresses", attack.addresses());
    long opened = done.getOrDefault("opened", 0L);
    figures.promise("the attack was made", opened > 0);
    figures.add(
        "%,d connections, %,d bytes in %,d sends",
        opened, done.getOrDefault("bytes", 0L), done.getOrDefault("segments", 0L));
    if (attack.count() > 0) {
      boolean sends = attack.mode().equals("segments");
      figures.promise(
          String.format(Locale.ROOT, "all %,d were made", attack.count()),
          done.getOrDefault(sends ? "segments" : "opened", 0L) >= attack.count());
    }
  }

  @Override
  public void close() {
    all.close();
  }
}
