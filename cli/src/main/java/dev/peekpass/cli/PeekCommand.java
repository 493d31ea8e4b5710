package dev.peekpass.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/**
 * {@code peekpass peek}: prints, one JSON object a line, what the proxy would see in these first
 * bytes.
 *
 * <p>Exits with 0 when every input was judged, whatever the verdicts; with 1, at the end, when some
 * could not be read; with 2 for a usage error.
 */
@Command(
    name = "peek",
    mixinStandardHelpOptions = true,
    description = "Print what the proxy would see in the first bytes of a connection.",
    exitCodeListHeading = "Exit codes:%n",
    exitCodeList = {
      "0:every input was judged, whatever the verdicts",
      "1:some input could not be read or is no base64",
      "2:usage error"
    })
public final class PeekCommand implements Callable<Integer> {
  // Far above what base64 of any sensible --max-peek needs.
  private static final int MAX_LINE_BYTES = 1 << 26;
  private static final String STANDARD_INPUT = "-";

  @Spec private @Nullable CommandSpec spec;

  @Option(
      names = "--as",
      paramLabel = "PROTOCOL",
      converter = FlightFormat.Converter.class,
      completionCandidates = FlightFormat.Labels.class,
      description =
          "Take the bytes for ${COMPLETION-CANDIDATES}. Default: by the first bytes, TLS or HTTP.")
  private @Nullable FlightFormat as;

  @Option(
      names = "--base64",
      description = "The input holds one flight a line, in base64 (RFC 4648 section 4).")
  private boolean base64;

  @Option(
      names = "--max-peek",
      paramLabel = "SIZE",
      converter = ByteSize.class,
      defaultValue = "32MiB",
      description =
          "How many bytes of a flight to look at. Default: ${DEFAULT-VALUE}, more than the largest"
              + " head that TLS can announce, so that the bytes alone decide. A listener looks at"
              + " its max-peek, 64KiB unless configured otherwise.")
  private int maxPeekBytes;

  @Parameters(
      arity = "1..*",
      paramLabel = "FILE",
      description = "Files that hold what a client sent first; - is standard input.")
  private List<String> files = List.of();

  private final InputStream in;
  private final OutputStream out;
  private boolean failed;

  /** The command on standard input and output. */
  public PeekCommand() {
    // Not System.out, which would hide from us that nobody reads any more.
    this(System.in, new FileOutputStream(FileDescriptor.out));
  }

  /**
   * The command on other streams.
   *
   * @param in what {@code -} reads; not closed
   * @param out takes the JSON lines; flushed, not closed
   */
  PeekCommand(InputStream in, OutputStream out) {
    this.in = in;
    this.out = out;
  }

  @Override
  public Integer call() {
    failed = false;
    try (FlightReport report = new FlightReport(as, maxPeekBytes, out)) {
      for (String file : files) {
        judge(file, report);
      }
    } catch (IOException e) {
      complain("standard output: " + e.getMessage());
    }
    return failed ? 1 : 0;
  }

  private void judge(String file, FlightReport report) throws IOException {
    if (file.equals(STANDARD_INPUT)) {
      judge(file, in, report);
      return;
    }
    try (InputStream stream = open(file)) {
      if (stream != null) {
        judge(file, stream, report);
      }
    }
  }

  private void judge(String file, InputStream stream, FlightReport report) throws IOException {
    if (base64) {
      judgeLines(file, stream, report);
      return;
    }
    byte[] bytes = read(file, stream);
    if (bytes != null) {
      report.file(file, 0, ByteBuffer.wrap(bytes));
    }
  }

  private void judgeLines(String file, InputStream stream, FlightReport report) throws IOException {
    FlightLines lines = new FlightLines(stream, MAX_LINE_BYTES);
    for (long line = 1; ; line++) {
      int length = next(file, lines);
      if (length == FlightLines.END) {
        return;
      }
      ByteBuffer flight = length < 0 ? null : decode(lines.line(), length);
      if (flight == null) {
        String wrong = length < 0 ? "longer than " + MAX_LINE_BYTES + " bytes" : "not base64";
        complain(file + ": line " + line + ": " + wrong);
      } else if (file.equals(STANDARD_INPUT)) {
        report.line(line, flight);
      } else {
        report.file(file, line, flight);
      }
    }
  }

  private @Nullable InputStream open(String file) {
    try {
      return Files.newInputStream(Path.of(file));
    } catch (NoSuchFileException e) {
      complain(file + ": no such file");
    } catch (AccessDeniedException e) {
      complain(file + ": permission denied");
    } catch (IOException | InvalidPathException e) {
      complain(file + ": " + e.getMessage());
    }
    return null;
  }

  private byte @Nullable [] read(String file, InputStream stream) {
    try {
      return stream.readNBytes(maxPeekBytes);
    } catch (IOException e) {
      complain(file + ": " + e.getMessage());
      return null;
    }
  }

  private int next(String file, FlightLines lines) {
    try {
      return lines.next();
    } catch (IOException e) {
      complain(file + ": " + e.getMessage());
      return FlightLines.END;
    }
  }

  private static @Nullable ByteBuffer decode(byte[] line, int length) {
    try {
      return Base64.getDecoder().decode(ByteBuffer.wrap(line, 0, length));
    } catch (IllegalArgumentException e) {
      return null;
    }
  }

  private void complain(String what) {
    failed = true;
    Objects.requireNonNull(spec, "set by picocli").commandLine().getErr().println("peek: " + what);
  }
}
