package dev.peekpass.cli;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class PeekCommandTest {
  private static final String HEAD = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
  private static final String OK = "\"verdict\":\"ok\",\"host\":\"a.example\"}";

  @TempDir Path directory;

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final StringWriter err = new StringWriter();

  private int run(String in, String... arguments) {
    return run(new ByteArrayInputStream(in.getBytes(US_ASCII)), out, arguments);
  }

  private int run(InputStream in, OutputStream to, String... arguments) {
    return new CommandLine(new PeekCommand(in, to)).setErr(new PrintWriter(err)).execute(arguments);
  }

  private String file(String name, String content) throws IOException {
    return Files.writeString(directory.resolve(name), content, US_ASCII).toString();
  }

  private static String base64(String text) {
    return Base64.getEncoder().encodeToString(text.getBytes(US_ASCII));
  }

  @Test
  void judgesFilesInOrder() throws IOException {
    String one = file("one", HEAD);
    String two = file("two", "PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n");
    assertThat(run("", one, two)).isZero();
    assertThat(out.toString(US_ASCII).lines().toList())
        .satisfiesExactly(
            line -> assertThat(line).startsWith("{\"file\":\"" + one + "\",").endsWith(OK),
            line ->
                assertThat(line)
                    .startsWith("{\"file\":\"" + two + "\",")
                    .endsWith("\"verdict\":\"unknown\"}"));
    assertThat(err.toString()).isEmpty();
  }

  @Test
  void takesTheBytesForWhatIsAsked() throws IOException {
    assertThat(run("", "--as", "proxy", file("p", "PROXY UNKNOWN\r\n"))).isZero();
    assertThat(run("", "--as=tls", file("t", HEAD))).isZero();
    assertThat(out.toString(US_ASCII).lines().toList())
        .satisfiesExactly(
            line -> assertThat(line).endsWith("\"protocol\":\"proxy\",\"verdict\":\"ok\"}"),
            line -> assertThat(line).endsWith("\"protocol\":\"tls\",\"verdict\":\"not-tls\"}"));
  }

  @Test
  void dashIsStandardInput() {
    assertThat(run(HEAD, "-")).isZero();
    assertThat(out.toString(US_ASCII)).startsWith("{\"file\":\"-\",").endsWith(OK + "\n");
  }

  @Test
  void readsOneBase64FlightALine() {
    assertThat(run(base64(HEAD) + "\n\n" + base64("GET"), "--base64", "-")).isZero();
    assertThat(out.toString(US_ASCII).lines().toList())
        .satisfiesExactly(
            line -> assertThat(line).startsWith("{\"line\":1,").endsWith(OK),
            line ->
                assertThat(line)
                    .isEqualTo("{\"line\":2,\"protocol\":null,\"verdict\":\"incomplete\"}"),
            line -> assertThat(line).startsWith("{\"line\":3,\"protocol\":\"http\""));
  }

  @Test
  void linesOfABase64FileHaveFileAndLine() throws IOException {
    String file = file("lines", base64(HEAD) + "\n");
    assertThat(run("", "--base64", file)).isZero();
    assertThat(out.toString(US_ASCII)).startsWith("{\"file\":\"" + file + "\",\"line\":1,");
  }

  @Test
  void goesOnAfterBadBase64AndExitsWith1() {
    assertThat(run("%%%\n" + base64(HEAD), "--base64", "-")).isEqualTo(1);
    assertThat(out.toString(US_ASCII)).startsWith("{\"line\":2,").endsWith(OK + "\n");
    assertThat(err.toString()).isEqualToIgnoringNewLines("peek: -: line 1: not base64");
  }

  @Test
  void goesOnAfterABadFileAndExitsWith1() throws IOException {
    String missing = directory.resolve("missing").toString();
    assertThat(run("", missing, directory.toString(), "a\0b", file("good", HEAD))).isEqualTo(1);
    assertThat(out.toString(US_ASCII).lines()).singleElement().asString().endsWith(OK);
    assertThat(err.toString().lines().toList())
        .satisfiesExactly(
            line -> assertThat(line).isEqualTo("peek: " + missing + ": no such file"),
            line -> assertThat(line).isEqualTo("peek: " + directory + ": Is a directory"),
            line -> assertThat(line).startsWith("peek: a\0b: "));
  }

  @Test
  void noFileIsAUsageError() {
    assertThat(run("")).isEqualTo(2);
    assertThat(err.toString()).contains("Missing required parameter", "FILE");
  }

  @Test
  void anUnknownProtocolOrSizeIsAUsageError() {
    assertThat(run("", "--as", "smtp", "-")).isEqualTo(2);
    assertThat(err.toString()).contains("must be one of tls, http, h2, proxy, is smtp");
    assertThat(run("", "--max-peek", "big", "-")).isEqualTo(2);
    assertThat(err.toString()).contains("must be a size from 1 to 1024MiB, is big");
  }

  @Test
  void looksNoFurtherThanMaxPeek() {
    assertThat(run(HEAD, "--max-peek", "20", "-")).isZero();
    assertThat(out.toString(US_ASCII)).contains("\"verdict\":\"too-large\"");
  }

  @Test
  void helpNamesTheProtocolsAndTheDefault() {
    StringWriter help = new StringWriter();
    CommandLine command = new CommandLine(new PeekCommand());
    assertThat(command.setOut(new PrintWriter(help)).execute("--help")).isZero();
    assertThat(help.toString()).contains("tls, http, h2, proxy").contains("64KiB");
  }

  @Test
  void outputThatCannotBeWrittenExitsWith1() {
    OutputStream full =
        new OutputStream() {
          @Override
          public void write(int b) throws IOException {
            throw new IOException("No space left on device");
          }
        };
    assertThat(run(new ByteArrayInputStream(new byte[0]), full, "-")).isEqualTo(1);
    assertThat(err.toString()).contains("peek: standard output: No space left on device");
  }
}
