package dev.peekpass.cli.serve;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class ServeCommandTest {
  @TempDir private Path directory;

  private final StringWriter err = new StringWriter();

  private int run(String... arguments) {
    return new CommandLine(new ServeCommand()).setErr(new PrintWriter(err)).execute(arguments);
  }

  private int serve(String... more) {
    List<String> arguments =
        new ArrayList<>(List.of(directory.toString(), "--handoff", "unix:" + directory + "/s"));
    arguments.addAll(List.of(more));
    return run(arguments.toArray(new String[0]));
  }

  @Test
  void directoryAndHandoffAreNeeded() {
    assertThat(run()).isEqualTo(2);
    assertThat(run(directory.toString())).isEqualTo(2);
    assertThat(err.toString()).contains("--handoff");
  }

  @Test
  void aSocketIsAUnixSocket() {
    assertThat(run(directory.toString(), "--handoff", "127.0.0.1:80")).isEqualTo(2);
    assertThat(err.toString()).contains("must be unix:PATH, is 127.0.0.1:80");
  }

  @Test
  void aCertificateNeedsItsKey() {
    assertThat(serve("--tls-cert", "a.pem")).isEqualTo(2);
    assertThat(err.toString()).contains("--tls-key");
  }

  @Test
  void namesMustFitHeaders() {
    assertThat(serve("--name", "a b")).isEqualTo(2);
    assertThat(serve("--name", "a\r\nSet-Cookie:x")).isEqualTo(2);
    assertThat(err.toString()).contains("--name must be printable ASCII");
  }

  @Test
  void atLeastOneConnectionIsServed() {
    assertThat(serve("--max-connections", "0")).isEqualTo(2);
  }

  @Test
  void aMissingDirectoryIsNamed() {
    String missing = directory.resolve("missing").toString();
    assertThat(run(missing, "--handoff", "unix:" + directory + "/s")).isEqualTo(1);
    assertThat(err.toString())
        .isEqualToIgnoringNewLines("peekpass serve: " + missing + ": no such directory");
  }

  @Test
  void aMissingCertificateIsNamed() {
    String missing = directory.resolve("missing.pem").toString();
    assertThat(serve("--tls-cert", missing, "--tls-key", missing)).isEqualTo(1);
    assertThat(err.toString())
        .isEqualToIgnoringNewLines("peekpass serve: " + missing + ": no such file");
  }
}
