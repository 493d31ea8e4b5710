package dev.peekpass.it.fault;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import dev.peekpass.it.Running;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The same faults behind this proxy and behind others, with the same backend and clients. */
@Tag("processes")
class PeersTest {
  private static final Scale SCALE = Scale.configured();
  private static final int RATE = 200;
  private static final int DOWNLOADS = 500;
  private static final int RESTARTS = 4;
  private static final int FROZEN_SECONDS = 8;

  @TempDir private Path dir;
  private final Map<String, List<String>> rows = new LinkedHashMap<>();
  private final List<String> lostByOurs = new ArrayList<>();
  private int names;

  @Test
  @Timeout(value = 15, unit = TimeUnit.MINUTES)
  void compare() throws Exception {
    Assumptions.assumeTrue(SCALE != Scale.QUICK, "SKIPPED: scripts/reliability runs it");
    List<String> proxies = new ArrayList<>();
    List<String> absent = new ArrayList<>();
    for (Peer peer : Peer.values()) {
      if (peer.isInstalled()) {
        proxies.add(peer.version(dir));
        say(peer, "begins");
        proxyKilled(peer);
        oneOfTwoKilled(peer);
        frozen(peer);
        onlyOneRestarted(peer);
      } else {
        absent.add(peer.title);
        say(peer, "is not installed");
      }
    }
    write(proxies, absent);
    assertThat(lostByOurs).isEmpty();
  }

  private static void say(Peer peer, String what) {
    System.out.println("reliability: peers: " + peer.title + ": " + what);
  }

  private void cell(Peer peer, String row, Collection<Entry> entries, String more) {
    long lost = entries.stream().filter(Entry::isFailed).count();
    String text = "%,d of %,d%s".formatted(lost, entries.size(), more);
    rows.computeIfAbsent(row, title -> new ArrayList<>()).add(text);
    say(peer, row + ": " + text);
    if (peer == Peer.PEEKPASS && lost > 0) {
      lostByOurs.add(row + ": " + text);
    }
  }

  /** Starts a proxy and backends, and waits until it serves. */
  private final class Stage implements AutoCloseable {
    private final Path payload;
    private final List<String> places = new ArrayList<>();
    private final List<Running> backends = new ArrayList<>();
    private final Running proxy;
    private final int port = Deployment.freePort();

    Stage(Peer peer, int count, int payloadBytes) throws IOException {
      payload = Files.write(dir.resolve("payload"), new byte[payloadBytes]);
      for (int i = 0; i < count; i++) {
        places.add(peer.backend(dir, i));
        backends.add(backend(i));
      }
      proxy = peer.start(dir, port, places);
      proxy.awaitOutput("it listens", this::isListening);
      try (LoadProgram first = load("-r", "20", "-n", "20")) {
        assertThat(first.await()).as(peer.title).allMatch(Entry::isServed);
      }
    }

    private boolean isListening() {
      try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
        return socket.isConnected();
      } catch (IOException e) {
        return false;
      }
    }

    Running backend(int index) throws IOException {
      String name = "backend" + names++;
      Running backend =
          Running.start(
              dir,
              name,
              List.of(
                  System.getProperty("java.home") + "/bin/java",
                  "-XX:+UseSerialGC",
                  "-XX:TieredStopAtLevel=1",
                  "--enable-native-access=ALL-UNNAMED",
                  "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
                  "-cp",
                  System.getProperty("java.class.path"),
                  PeerBackend.class.getName(),
                  payload.toString(),
                  name,
                  places.get(index)));
      backend.awaitOutput("it serves", () -> backend.output().contains("serving"));
      return backend;
    }

    LoadProgram load(String... options) throws IOException {
      List<String> all = new ArrayList<>(List.of("-u", "/", "-f", payload.toString()));
      all.addAll(List.of(options));
      return LoadProgram.start(
          dir, "load" + names++, port, Deployment.HOST, all.toArray(String[]::new));
    }

    @Override
    public void close() {
      Peer.kill(proxy);
      backends.forEach(Running::close);
    }
  }

  private void proxyKilled(Peer peer) throws Exception {
    try (Stage stage = new Stage(peer, 2, 1 << 22);
        LoadProgram load = stage.load("-k", "" + DOWNLOADS)) {
      assertThat(load.awaitHeld()).isEqualTo(DOWNLOADS);
      Peer.kill(stage.proxy);
      load.release();
      cell(peer, "kill -9 of the proxy with 500 downloads under way: lost", load.await(), "");
    }
  }

  private void oneOfTwoKilled(Peer peer) throws Exception {
    try (Stage stage = new Stage(peer, 2, 8192);
        LoadProgram load = stage.load("-r", "" + RATE)) {
      load.awaitMore(2 * RATE);
      stage.backends.getFirst().kill();
      load.awaitMore(4 * RATE);
      cell(peer, "kill -9 of one of two backends: lost", load.stop(), "");
    }
  }

  private void frozen(Peer peer) throws Exception {
    try (Stage stage = new Stage(peer, 2, 8192);
        LoadProgram load = stage.load("-r", "" + RATE)) {
      load.awaitMore(2 * RATE);
      long pid = stage.backends.getFirst().process.pid();
      Signal.STOP.send(pid);
      long froze = System.nanoTime() / 1000;
      Thread.sleep(FROZEN_SECONDS * 1000L);
      long thawed = System.nanoTime() / 1000;
      Signal.CONT.send(pid);
      load.awaitMore(RATE);
      List<Entry> entries = load.stop();
      List<Entry> during =
          LoadProgram.only(entries, e -> e.begunMicros() > froze && e.begunMicros() < thawed);
      String p99 = "; p99 " + Figures.millis(Figures.percentile(during, 99));
      cell(peer, "one of two frozen for 8 s: lost; p99 meanwhile", entries, p99);
    }
  }

  private void onlyOneRestarted(Peer peer) throws Exception {
    try (Stage stage = new Stage(peer, 1, 8192);
        LoadProgram load = stage.load("-r", "" + RATE)) {
      for (int i = 0; i < RESTARTS; i++) {
        load.awaitMore(3 * RATE);
        assertThat(stage.backends.getLast().stop()).isEqualTo(143);
        stage.backends.add(stage.backend(0));
      }
      load.awaitMore(3 * RATE);
      cell(peer, "the only backend restarted four times: lost", load.stop(), "");
    }
  }

  private void write(List<String> proxies, List<String> absent) throws IOException {
    Path file =
        Files.createDirectories(Running.ROOT.resolve("it/target/reliability"))
            .resolve("peers.json");
    try (JsonGenerator json = new JsonFactory().createGenerator(Files.newOutputStream(file))) {
      json.useDefaultPrettyPrinter();
      json.writeStartObject();
      json.writeStringField("date", LocalDate.now(ZoneOffset.UTC).toString());
      array(json, "proxies", proxies);
      array(json, "absent", absent);
      json.writeArrayFieldStart("rows");
      for (Map.Entry<String, List<String>> row : rows.entrySet()) {
        json.writeStartObject();
        json.writeStringField("title", row.getKey());
        array(json, "cells", row.getValue());
        json.writeEndObject();
      }
      json.writeEndArray();
      json.writeEndObject();
    }
  }

  private static void array(JsonGenerator json, String name, List<String> values)
      throws IOException {
    json.writeArrayFieldStart(name);
    for (String value : values) {
      json.writeString(value);
    }
    json.writeEndArray();
  }
}
