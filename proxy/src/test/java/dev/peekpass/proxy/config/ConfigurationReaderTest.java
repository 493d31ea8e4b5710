package dev.peekpass.proxy.config;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.proxy.route.IpAddress;
import dev.peekpass.proxy.route.Route;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class ConfigurationReaderTest {
  private static String resource(String name) throws IOException {
    try (InputStream in = ConfigurationReaderTest.class.getResourceAsStream(name)) {
      return new String(Objects.requireNonNull(in, name).readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  @Test
  void namesEveryMistakeOfABrokenFileAtItsPlace() throws IOException {
    ConfigurationReader.Result result =
        ConfigurationReader.read("broken.yaml", resource("broken.yaml"));
    List<String> expected = resource("broken.expected").lines().toList();
    assertThat(result)
        .isInstanceOfSatisfying(
            ConfigurationReader.Mistakes.class,
            mistakes ->
                assertThat(mistakes.mistakes())
                    .extracting(Mistake::toString)
                    .containsExactlyElementsOf(expected));
  }

  @Test
  void readsAWholeConfiguration() throws IOException {
    Configuration all = Texts.valid(resource("whole.yaml"));
    assertThat(all.threads()).isEqualTo(4);
    assertThat(all.accessLog()).isTrue();
    assertThat(all.adminPath()).contains("/run/peekpass/admin.sock");
    assertThat(all.fallback()).isEqualTo(new Fallback.Reject(Fallback.Kind.HTTP_STATUS, 404));
    assertThat(all.backends())
        .containsExactly(
            new BackendConfig(
                "shop",
                List.of("/run/shop.sock"),
                Method.AUTO,
                Duration.ofSeconds(10),
                Duration.ofMillis(500),
                1024,
                1,
                Balance.ROUND_ROBIN,
                Duration.ZERO,
                0,
                Optional.empty(),
                Optional.empty(),
                Trust.AUTO,
                0,
                18),
            new BackendConfig(
                "legacy",
                List.of("/run/l.sock"),
                Method.ONCE,
                Duration.ofMillis(1),
                Duration.ofMillis(500),
                0,
                1,
                Balance.ROUND_ROBIN,
                Duration.ZERO,
                0,
                Optional.empty(),
                Optional.empty(),
                Trust.AUTO,
                1,
                19),
            new BackendConfig(
                "web",
                List.of("/run/web1.sock", "/run/web2.sock"),
                Method.PERSISTENT,
                Duration.ofMinutes(2),
                Duration.ofMillis(250),
                10,
                253,
                Balance.ROUND_ROBIN,
                Duration.ZERO,
                0,
                Optional.empty(),
                Optional.empty(),
                Trust.AUTO,
                2,
                20),
            new BackendConfig(
                "mail",
                List.of("/run/mail.sock"),
                Method.DATAGRAM,
                Duration.ofSeconds(10),
                Duration.ofMillis(500),
                1024,
                1,
                Balance.ROUND_ROBIN,
                Duration.ZERO,
                0,
                Optional.empty(),
                Optional.empty(),
                Trust.AUTO,
                3,
                28));
    assertThat(all.routes().size()).isEqualTo(3);
    Route wild = all.routes().route(1);
    assertThat(wild).hasToString("line 31: *.example.com alpn [h2, http/1.1] -> web");
    assertThat(wild.backendIndex()).isEqualTo(2);
    assertThat(all.routes().route(2))
        .hasToString("line 32: /api[0-9]+[.]example[.]org/ from [192.0.2.0/24] -> legacy");

    ListenerConfig first = all.listeners().get(0);
    assertThat(first.bind()).extracting(BindAddress::toString).containsExactly("[::]:443");
    assertThat(first.peek()).isEqualTo(PeekMode.AUTO);
    assertThat(first.peekTimeout()).isEqualTo(Duration.ofMillis(250));
    assertThat(first.maxPeekBytes()).isEqualTo(1024 * 1024);
    assertThat(first.deferAccept()).isFalse();
    assertThat(first.backlog()).isEqualTo(100);
    assertThat(first.maxPending()).isEqualTo(7);
    assertThat(first.ipv6Only()).isTrue();
    assertThat(first.routes()).isSameAs(all.routes());
    assertThat(first.fallback()).isEqualTo(all.fallback());
    assertThat(first.line()).isEqualTo(5);
    ListenerConfig mail = all.listeners().get(1);
    assertThat(mail.bind()).hasSize(2);
    assertThat(mail.peek()).isEqualTo(PeekMode.NONE);
    assertThat(mail.deferAccept()).isFalse();
    assertThat(mail.fallback()).isEqualTo(new Fallback.ToBackend(3, "mail"));
  }

  @Test
  void hasADefaultForAllButListeners() {
    Configuration all = Texts.valid("listeners: [ { bind: \"*:443\" } ]");
    assertThat(all.threads()).isEqualTo(1);
    assertThat(all.accessLog()).isFalse();
    assertThat(all.adminPath()).isEmpty();
    assertThat(all.perClient()).isEqualTo(ClientLimits.NONE);
    assertThat(all.backends()).isEmpty();
    assertThat(all.routes().size()).isZero();
    assertThat(all.fallback()).isEqualTo(new Fallback.Reject(Fallback.Kind.HTTP_STATUS, 421));
    ListenerConfig listener = all.listeners().getFirst();
    assertThat(listener)
        .isEqualTo(
            new ListenerConfig(
                List.of(new BindAddress(new IpAddress(0, 0), 443)),
                PeekMode.AUTO,
                Duration.ofSeconds(5),
                65_536,
                OnMismatch.REFUSE,
                true,
                4096,
                16_384,
                AccessList.OPEN,
                ClientLimits.NONE,
                false,
                all.routes(),
                all.fallback(),
                1));
  }

  @Test
  void refusesAFileWithoutContent() {
    assertThat(Texts.mistakes(""))
        .containsExactly("1:1: the file is empty, write at least listeners");
    assertThat(Texts.mistakes("# nothing\n")).hasSize(1);
    assertThat(Texts.mistakes("null")).hasSize(1);
    assertThat(Texts.mistakes("a")).first().asString().startsWith("1:1: a configuration is");
    assertThat(Texts.mistakes("threads: 1"))
        .containsExactly("1:1: there is no listener, write listeners: [ { bind: \"[::]:443\" } ]");
  }

  @Test
  void takesAByteOrderMark() {
    assertThat(Texts.mistakes("\ufefflisteners: [ { bind: \"*:443\" } ]")).isEmpty();
  }

  @Test
  void warnsOfABackendThatNothingUses() {
    assertThat(Texts.warnings(Texts.listener("fallback: web")))
        .containsExactly(
            "3:3: no route and no fallback uses backend \"mail\", remove it, or write a route");
  }

  @Test
  void onlyCountsMistakesBehindTheFirstThousand() {
    StringBuilder text = new StringBuilder(Texts.listener("routes:"));
    for (int i = 0; i < 1500; i++) {
      text.append("      - { host: a").append(i).append(".example, backend: none }\n");
    }
    List<String> mistakes = Texts.mistakes(text.toString());
    assertThat(mistakes).hasSize(1001);
    assertThat(mistakes.getLast()).contains("there are 500 more mistakes");
  }

  @Test
  void neverThrowsOnMutatedText() throws IOException {
    Random random = new Random(20);
    String[] seeds = {resource("broken.yaml"), resource("whole.yaml")};
    String[] bits = {
      "*",
      "&a ",
      "*a",
      "[",
      "]",
      "{",
      "}",
      ": ",
      "- ",
      "\n",
      "\t",
      "'",
      "\"",
      "!!x ",
      "%YAML 9.9\n",
      "---\n",
      "...\n",
      "|\n",
      ">2\n",
      "? ",
      "\\U0011ffff",
      "\ud800",
      "\u0000",
      "\ufeff",
      "~",
      "\\x",
      "#",
      "<<: ",
      "99999999999999999999",
      "\u2028",
      "@",
      "`",
      "%"
    };
    int valid = 0;
    for (int round = 0; round < 6000; round++) {
      StringBuilder text = new StringBuilder(seeds[round % 2]);
      for (int edits = 1 + random.nextInt(4); edits > 0; edits--) {
        int at = random.nextInt(text.length());
        switch (random.nextInt(4)) {
          case 0 -> text.insert(at, bits[random.nextInt(bits.length)]);
          case 1 -> text.delete(at, Math.min(text.length(), at + 1 + random.nextInt(9)));
          case 2 -> text.setCharAt(at, (char) random.nextInt(256));
          default -> text.insert(at, text.substring(at, Math.min(text.length(), at + 40)));
        }
      }
      ConfigurationReader.Result result = ConfigurationReader.read("f", text.toString());
      if (result instanceof ConfigurationReader.Mistakes mistakes) {
        assertThat(mistakes.mistakes()).as(text.toString()).isNotEmpty();
        for (Mistake mistake : mistakes.mistakes()) {
          assertThat(mistake.line()).isPositive();
          assertThat(mistake.column()).isPositive();
          assertThat(mistake.remedy()).isNotEmpty();
          assertThat(mistake.toString()).doesNotContain("\n");
        }
      } else {
        valid++;
      }
    }
    // Mutations in comments and names leave some whole; if none were, the seeds would be wrong.
    assertThat(valid).isBetween(50, 3000);
  }
}
