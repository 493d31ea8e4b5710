package dev.peekpass.cli.serve;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.peekpass.cli.pki.ServerIdentity;
import dev.peekpass.cli.process.Signals;
import dev.peekpass.linux.OverflowUid;
import dev.peekpass.proxy.advice.Reason;
import dev.peekpass.receiver.SocketType;
import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;
import java.util.concurrent.Callable;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code peekpass serve}: a static file server on the receiver library. */
@Command(
    name = "serve",
    description = {
      "Serves the files of a directory to the connections that a proxy hands off, until SIGTERM or"
          + " SIGINT; what was handed off before is then still served, and responses under way have"
          + " five seconds.",
      "",
      "Speaks HTTP/1.1 and 1.0 and, with a certificate, TLS 1.2 and 1.3 on the same socket: the"
          + " first byte of a connection says which it is, so listeners for both may hand off here."
    },
    mixinStandardHelpOptions = true,
    exitCodeListHeading = "Exit codes:%n",
    exitCodeList = {
      "0:stopped by a signal",
      "1:the directory, certificate or socket cannot be used",
      "2:wrong usage"
    })
public final class ServeCommand implements Callable<Integer> {
  @Spec private CommandSpec spec = CommandSpec.create();

  @Parameters(paramLabel = "DIR", description = "What to serve.")
  private Path directory = Path.of("");

  @Option(
      names = "--handoff",
      paramLabel = "unix:PATH",
      required = true,
      converter = UnixPath.class,
      description = "The UNIX socket that a proxy hands connections off to.")
  private Path socket = Path.of("");

  @Option(
      names = "--socket-type",
      paramLabel = "TYPE",
      defaultValue = "acknowledged",
      converter = SocketTypeName.class,
      description = {
        "What to bind, which decides how a proxy hands off: acknowledged, stream (methods once and"
            + " persistent) or datagram. Default: ${DEFAULT-VALUE}."
      })
  private SocketType socketType = SocketType.ACKNOWLEDGED;

  @Option(names = "--datagram", description = "The same as --socket-type datagram.")
  private boolean datagram;

  @Option(
      names = "--mode",
      paramLabel = "MODE",
      description = "Permissions of the socket, like rw-rw----.")
  private @Nullable String mode;

  @Option(
      names = "--allow-uid",
      paramLabel = "UID",
      description = "Who may hand connections over; repeatable. Default: root and the own user.")
  private List<Integer> allowedUids = List.of();

  @ArgGroup(exclusive = false)
  private @Nullable TlsFiles tlsFiles;

  @Option(
      names = "--name",
      paramLabel = "NAME",
      description = "Shown in X-Backend and in the log. Default: the socket's file name.")
  private @Nullable String name;

  @Option(names = "--list", description = "List directories that have no index.html.")
  private boolean lists;

  @Option(
      names = "--whoami",
      description = "Answer GET /.peekpass/whoami with what this backend sees of the client.")
  private boolean tellsWhoami;

  @Option(names = "--quiet", description = "Log no requests.")
  private boolean quiet;

  @Option(
      names = "--max-connections",
      paramLabel = "N",
      defaultValue = "10000",
      description = "Served at once; one more gets 503. Default: ${DEFAULT-VALUE}.")
  private int maxConnections;

  /** For picocli. */
  public ServeCommand() {}

  /** Both or none. */
  private static final class TlsFiles {
    @Option(
        names = "--tls-cert",
        paramLabel = "FILE",
        required = true,
        description = "PEM: the server's certificate, then those that lead to the root.")
    private Path certificates = Path.of("");

    @Option(
        names = "--tls-key",
        paramLabel = "FILE",
        required = true,
        description = "PEM: its private key, RSA, EC or Ed25519, not encrypted.")
    private Path key = Path.of("");
  }

  @Override
  public Integer call() throws InterruptedException {
    String backend = name == null ? String.valueOf(socket.getFileName()) : name;
    check(backend);
    PrintStream out =
        new PrintStream(
            new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), 1 << 16),
            false,
            UTF_8);
    try {
      Site site = Site.of(directory);
      SSLContext tls =
          tlsFiles == null ? null : ServerIdentity.load(tlsFiles.certificates, tlsFiles.key);
      ConnectionSource source =
          new HandoffOptions(socket, datagram ? SocketType.DATAGRAM : socketType, mode, allowedUids)
              .open();
      Responder responder = new Responder(site, lists, backend, tellsWhoami, Clock.systemUTC());
      try (RequestLog log = new RequestLog(out, backend, quiet);
          FileServer server =
              new FileServer(source, tls, responder, ServeLimits.standard(maxConnections), log)) {
        Signals.onStop(() -> stop(server));
        out.println("peekpass: serving " + site.root() + " on unix:" + socket);
        out.flush();
        server.run();
      }
      return 0;
    } catch (NoSuchFileException e) {
      return complain(e.getFile() + ": no such directory");
    } catch (NotDirectoryException e) {
      return complain(e.getFile() + ": not a directory");
    } catch (AccessDeniedException e) {
      return complain(e.getFile() + ": permission denied");
    } catch (IOException e) {
      return complain(Reason.of(e));
    }
  }

  private void check(String backend) {
    // It goes into header fields and log lines.
    if (backend.isEmpty() || !backend.chars().allMatch(c -> c > ' ' && c < 0x7f)) {
      throw new ParameterException(
          spec.commandLine(), "--name must be printable ASCII without spaces, is " + backend);
    }
    for (int uid : allowedUids) {
      if (uid < 0) {
        throw new ParameterException(spec.commandLine(), "--allow-uid must be 0 or more");
      }
      if (OverflowUid.isEverybodys(uid)) {
        throw new ParameterException(
            spec.commandLine(),
            "--allow-uid "
                + uid
                + " stands for every user that has no number in this user namespace: map the"
                + " proxy's user into it, or give the proxy a user of its own");
      }
    }
    if (maxConnections < 1) {
      throw new ParameterException(spec.commandLine(), "--max-connections must be at least 1");
    }
  }

  private static void stop(FileServer server) {
    try {
      server.close();
    } catch (IOException e) {
      System.err.println("peekpass serve: " + e.getMessage());
    }
  }

  private int complain(String what) {
    spec.commandLine().getErr().println("peekpass serve: " + what);
    return 1;
  }
}
