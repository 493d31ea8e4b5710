package dev.peekpass.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class ExplainCommandTest {
  private static final String TEXT =
      """
      listeners:
        - bind: "[::]:443"
        - { bind: "[::]:25", peek: none, fallback: mail }
        - { bind: "[::]:80", fallback: { reject: http-status } }
      backends:
        shop: { handoff: "unix:/run/shop.sock" }
        web: { handoff: "unix:/run/web.sock" }
        mail: { handoff: "unix:/run/mail.sock" }
      routes:
        - { host: shop.example.com, from: 192.0.2.0/24, backend: shop }
        - { host: "*.example.com", alpn: [h2], backend: web }
        - { host-regex: "shop.*", backend: mail }
      """;

  @TempDir private Path directory;
  private Path file = Path.of("");

  @BeforeEach
  void write() throws IOException {
    file = Files.writeString(directory.resolve("peekpass.yaml"), TEXT);
  }

  private CommandRun explain(String... arguments) {
    List<String> all = new ArrayList<>(List.of("explain", "-c", file.toString()));
    all.addAll(List.of(arguments));
    return CommandRun.of(all.toArray());
  }

  @Test
  void printsEveryRouteThatWasConsidered() {
    CommandRun run =
        explain(
            "--listener",
            "[::]:443",
            "--sni",
            "Shop.Example.com",
            "--alpn",
            "h2",
            "--alpn",
            "http/1.1",
            "--from",
            "203.0.113.5");
    assertThat(run.err()).isEmpty();
    assertThat(run.out())
        .isEqualTo(
            """
            listener  [::]:443 (line 2)
            client    TLS, server name shop.example.com, ALPN [h2, http/1.1], from 203.0.113.5
                   1  exact    line 10: shop.example.com -> shop: no: the name is equal, but 203.0.113.5 is not in [192.0.2.0/24]
                   2  wildcard line 11: *.example.com -> web: wins: the name ends in .example.com, the client offers one of [h2]
                   3  regex    line 12: /shop.*/ -> mail: comes too late: the expression matches
            result    backend web
            """);
    assertThat(run.code()).isZero();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "deny: 192.0.2.0/24|192.0.2.7|3|192.0.2.7 is denied, it is in 192.0.2.0/24 of deny",
        "deny: 192.0.2.0/24|192.0.3.7|0|192.0.3.7 is let in, it is in no block of deny",
        "allow: 192.0.2.0/24|192.0.3.7|3|192.0.3.7 is denied, it is in no block of allow",
        "allow: 192.0.2.0/24|::ffff:192.0.2.1|0|192.0.2.1 is let in, it is in 192.0.2.0/24 of allow",
        "allow: '::/0', deny: 192.0.2.1|192.0.2.1|3|it is in 192.0.2.1/32 of deny",
        "allow: 192.0.2.1||0|--from IP says whether it is let in"
      })
  void saysWhetherAnAddressIsLetIn(String lists, @Nullable String from, int code, String says)
      throws IOException {
    Files.writeString(file, TEXT.replace("bind: \"[::]:25\"", "bind: \"[::]:25\", " + lists));
    CommandRun run =
        from == null
            ? explain("--listener", "[::]:25")
            : explain("--listener", "[::]:25", "--from", from);
    assertThat(run.err()).isEmpty();
    assertThat(run.out()).contains("address   ").contains(says);
    assertThat(run.out().contains("result    denied, closed without a word")).isEqualTo(code == 3);
    assertThat(run.code()).isEqualTo(code);
  }

  @Test
  void aRejectionIsExitCode3() {
    CommandRun run = explain("--listener", "*:443", "--sni", "www.example.org");
    assertThat(run.out())
        .contains(
            "no: the expression does not match the whole name",
            "result    fallback, reject: http-status, status 421\n");
    assertThat(run.code()).isEqualTo(3);
    assertThat(explain("--listener", "*:80", "--host", "www.example.org:8080").out())
        .contains("client    HTTP, host www.example.org, from ::\n")
        .endsWith("result    fallback, reject: http-status, status 421\n");
  }

  @Test
  void withoutANameThereIsTheFallback() {
    CommandRun run = explain("--listener", "*:443");
    assertThat(run.out())
        .contains("client    no name, from ::\n", "no name, so no route can match\n");
    assertThat(run.code()).isEqualTo(3);
    assertThat(explain("--listener", "*:443", "--alpn", "h2").out())
        .contains("client    TLS without a server name, ALPN [h2], from ::\n");
  }

  @Test
  void aListenerWithoutPeekGoesToItsFallback() {
    CommandRun run = explain("--listener", "[::]:25", "--sni", "shop.example.com");
    assertThat(run.out())
        .endsWith(
            """
            no byte is looked at (peek: none): all goes to the fallback
            result    fallback, backend mail
            """);
    assertThat(run.code()).isZero();
  }

  @Test
  void takesAnInternationalName() throws IOException {
    Files.writeString(
        file,
        """
        listeners: [ { bind: "*:1" } ]
        backends: { b: { handoff: "unix:/b" } }
        routes: [ { host: b\u00fccher.example, backend: b } ]
        """);
    CommandRun run = explain("--sni", "B\u00fccher.example");
    assertThat(run.out())
        .contains("server name xn--bcher-kva.example")
        .endsWith("result    backend b\n");
    assertThat(run.code()).isZero();
  }

  @Test
  void aTargetThatIsNotTheHostIsMalformedOrCounts() throws IOException {
    String[] arguments = {"--target", "a.example:80", "--host", "b.example"};
    String yaml =
        """
        listeners: [ { bind: "*:1"%s } ]
        backends: { a: { handoff: "unix:/a" } }
        routes: [ { host: a.example, backend: a } ]
        """;
    Files.writeString(file, yaml.formatted(""));
    CommandRun run = explain(arguments);
    assertThat(run.out())
        .contains("client    HTTP, target a.example, Host b.example, from ::\n")
        .endsWith(
            """
            malformed: target and Host name two hosts (on-mismatch: refuse)
            result    rejected
            """);
    assertThat(run.code()).isEqualTo(3);
    assertThat(explain("--target", "a.example:443", "--host", "A.example.").out())
        .endsWith("result    backend a\n");
    assertThat(explain("--target", "a.example").out()).endsWith("result    backend a\n");
    Files.writeString(file, yaml.formatted(", on-mismatch: target"));
    assertThat(explain(arguments).out()).endsWith("result    backend a\n");
  }

  @Test
  void whatNoRouteMayMatchIsSaid() throws IOException {
    Files.writeString(
        file,
        """
        listeners: [ { bind: "*:1" } ]
        backends: { a: { handoff: "unix:/a" } }
        routes: [ { host: "*", backend: a } ]
        """);
    assertThat(explain("--sni", "a:443").out()).contains("no route can match: the name is longer");
    CommandRun blank = explain("--sni", "a b");
    assertThat(blank.out()).contains("malformed: a control character or a space in the name\n");
    assertThat(blank.code()).isEqualTo(3);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "--listener *:443 --sni a --target b",
        "--listener *:443 --target a --alpn h2",
        "--listener [::]:444",
        "--listener x",
        "--listener *:443 --sni a --host b",
        "--listener *:443 --host a --alpn h2",
        "--listener *:443 --from home",
        "--listener *:443 --alpn=\u0100"
      })
  void wrongArgumentsAreExitCode2(String arguments) {
    CommandRun run = explain(arguments.isEmpty() ? new String[0] : arguments.split(" ", -1));
    assertThat(run.code()).isEqualTo(2);
    assertThat(run.err()).contains("Usage: peekpass explain");
  }

  @Test
  void mistakesAreExitCode1() throws IOException {
    Files.writeString(file, "listeners: 1\n");
    CommandRun run = explain("--sni", "a");
    assertThat(run.code()).isEqualTo(1);
    assertThat(run.err()).startsWith(file + ":1:12: ");
  }
}
