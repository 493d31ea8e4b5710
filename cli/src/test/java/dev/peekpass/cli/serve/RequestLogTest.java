package dev.peekpass.cli.serve;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class RequestLogTest {
  private static final ClientFacts CLIENT =
      new ClientFacts("192.0.2.1:5", "192.0.2.2:80", Optional.empty());

  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

  private RequestLog log(boolean quiet) {
    return new RequestLog(new PrintStream(bytes, false, UTF_8), "shop", quiet);
  }

  @Test
  void writesOneLineARequest() {
    try (RequestLog log = log(false)) {
      log.response(CLIENT, "GET / HTTP/1.1", 200, 12, 345, "");
      log.response(CLIENT.with(new ClientFacts.Tls("TLSv1.3", "a", "")), "-", 400, 0, 1, "cut off");
    }
    assertThat(bytes.toString(UTF_8).lines())
        .containsExactly(
            "192.0.2.1:5 \"GET / HTTP/1.1\" 200 12 345µs name=shop local=192.0.2.2:80",
            "192.0.2.1:5 \"-\" 400 0 1µs name=shop local=192.0.2.2:80 tls=TLSv1.3 cut off");
  }

  @Test
  void escapesWhatCouldForgeALine() {
    try (RequestLog log = log(false)) {
      log.response(CLIENT, "GET /\"\n\u001b[2J\u009b\\ HTTP/1.1", 400, 0, 1, "");
      log.failure(CLIENT, "bad\r\nthing");
    }
    assertThat(bytes.toString(UTF_8).lines())
        .satisfiesExactly(
            line -> assertThat(line).contains("\"GET /\\x22\\x0a\\x1b[2J\\x9b\\x5c HTTP/1.1\""),
            line -> assertThat(line).endsWith("bad\\x0d\\x0athing"));
  }

  @Test
  void cutsLongRequestLines() {
    try (RequestLog log = log(false)) {
      log.response(CLIENT, "x".repeat(5000), 414, 0, 1, "");
    }
    assertThat(bytes.toString(UTF_8)).hasSizeLessThan(1200).contains("…");
  }

  @Test
  void quietWritesNothing() {
    try (RequestLog log = log(true)) {
      log.response(CLIENT, "GET / HTTP/1.1", 200, 1, 1, "");
    }
    assertThat(bytes.size()).isZero();
  }
}
