package dev.peekpass.cli;

import dev.peekpass.proxy.config.AccessList;
import dev.peekpass.proxy.config.BindAddress;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.config.ConfigurationReader;
import dev.peekpass.proxy.config.Fallback;
import dev.peekpass.proxy.config.ListenerConfig;
import dev.peekpass.proxy.config.Mistake;
import dev.peekpass.proxy.config.OnMismatch;
import dev.peekpass.proxy.config.PeekMode;
import dev.peekpass.proxy.route.Cidr;
import dev.peekpass.proxy.route.CidrSet;
import dev.peekpass.proxy.route.Explanation;
import dev.peekpass.proxy.route.HostPattern;
import dev.peekpass.proxy.route.IpAddress;
import dev.peekpass.proxy.route.Reading;
import dev.peekpass.wire.AlpnList;
import dev.peekpass.wire.HostName;
import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code explain}: which route a connection takes, and why. */
@Command(
    name = "explain",
    description = "Says which route a connection would take, and why.",
    mixinStandardHelpOptions = true,
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:a route wins, or the fallback is a backend",
      "1:the configuration has mistakes, or cannot be read",
      "2:the arguments are wrong",
      "3:the connection is rejected, or not let in"
    })
public final class ExplainCommand implements Callable<Integer> {
  private static final int REJECTED = 3;

  @Spec private CommandSpec spec = CommandSpec.create();

  @Option(
      names = {"-c", "--config"},
      paramLabel = "FILE",
      required = true,
      description = "The configuration; - reads standard input.")
  private String file = "";

  @Option(
      names = "--listener",
      paramLabel = "ADDR",
      description = "One of the listener's addresses, as in bind. May be left out if there is one.")
  private String address = "";

  @Option(names = "--sni", paramLabel = "NAME", description = "The server name of a TLS client.")
  private String serverName = "";

  @Option(
      names = "--alpn",
      paramLabel = "PROTOCOL",
      description = "A protocol that a TLS client offers. May be repeated.")
  private List<String> alpn = new ArrayList<>();

  @Option(
      names = "--host",
      paramLabel = "NAME",
      description = "The host of an HTTP client, with or without a port.")
  private String httpHost = "";

  @Option(
      names = "--target",
      paramLabel = "NAME",
      description =
          "The host in the target of an HTTP/1 request, where it is in absolute-form or of CONNECT;"
              + " with or without a port. What --host names is then in the Host field.")
  private String targetHost = "";

  @Option(
      names = "--from",
      paramLabel = "IP",
      description =
          "The client's address, which routes may ask for and a listener may keep out; :: when left"
              + " out.")
  private String from = "";

  ExplainCommand() {}

  /** Explains; 0 when the connection goes to a backend, 1 or 3 when not. */
  @Override
  public Integer call() {
    return switch (ConfigurationFile.read(file, System.in)) {
      case ConfigurationReader.Valid(Configuration configuration, List<Mistake> warnings) ->
          explain(configuration);
      case ConfigurationReader.Mistakes(List<Mistake> mistakes, _) -> {
        mistakes.forEach(spec.commandLine().getErr()::println);
        yield 1;
      }
    };
  }

  private int explain(Configuration configuration) {
    ListenerConfig listener = listener(configuration);
    HostName host = host();
    AlpnList offered = offered();
    IpAddress peer =
        IpAddress.parse(from.isEmpty() ? "::" : from)
            .orElseThrow(() -> usage("--from is not an IP address: " + from));
    PrintWriter out = spec.commandLine().getOut();
    out.println("listener  " + listener.bind().getFirst() + " (line " + listener.line() + ")");
    out.println("client    " + client(host, peer));
    if (!letsIn(out, listener.access(), peer)) {
      out.println("result    denied, closed without a word");
      return REJECTED;
    }
    if (listener.peek() == PeekMode.NONE) {
      out.println("no byte is looked at (peek: none): all goes to the fallback");
      return fallback(out, listener.fallback());
    }
    String malformed = malformed(listener, host);
    if (!malformed.isEmpty()) {
      out.println("malformed: " + malformed);
      out.println("result    rejected");
      return REJECTED;
    }
    Explanation explanation = Explanation.of(listener.routes(), host, offered, peer);
    consider(out, explanation, host);
    if (explanation.winner().isPresent()) {
      out.println("result    backend " + explanation.winner().get().backendName());
      return 0;
    }
    return fallback(out, listener.fallback());
  }

  /** Says whether a listener that does not let everybody in lets an address in. */
  private boolean letsIn(PrintWriter out, AccessList access, IpAddress peer) {
    if (access.isOpen()) {
      return true;
    }
    if (from.isEmpty()) {
      out.println("address   the listener has allow or deny: --from IP says whether it is let in");
      return true;
    }
    String why =
        holds(access.deny(), peer)
            .map(block -> "denied, it is in " + block + " of deny")
            .or(() ->
                holds(access.allow(), peer)
                    .map(
                        block -> "let in, it is in " + block + " of allow and in no block of deny"))
            .orElse(
                access.allow().blocks().isEmpty()
                    ? "let in, it is in no block of deny"
                    : "denied, it is in no block of allow");
    out.println("address   " + peer + " is " + why);
    return access.letsIn(peer.high(), peer.low());
  }

  private static Optional<Cidr> holds(CidrSet blocks, IpAddress peer) {
    return blocks.blocks().stream()
        .filter(block -> block.contains(peer.high(), peer.low()))
        .findFirst();
  }

  private static void consider(PrintWriter out, Explanation explanation, HostName host) {
    if (explanation.considered().isEmpty()) {
      out.println(
          host.isEmpty()
              ? "no name, so no route can match"
              : host.isRoutable()
                  ? "no route has a name that fits"
                  : "no route can match: the name is longer than 255 bytes, or holds what readers"
                      + " take for different names");
    }
    int place = 1;
    for (Explanation.Considered one : explanation.considered()) {
      String outcome =
          switch (one.outcome()) {
            case WINS -> "wins";
            case SHADOWED -> "comes too late";
            case CONDITION_FAILS, NAME_FAILS -> "no";
          };
      out.printf(
          "%8d  %-8s line %d: %s -> %s: %s: %s%n",
          place++,
          one.pattern().kind().name().toLowerCase(Locale.ROOT),
          one.route().line(),
          one.pattern(),
          one.route().backendName(),
          outcome,
          one.why());
    }
  }

  private static int fallback(PrintWriter out, Fallback fallback) {
    return switch (fallback) {
      case Fallback.ToBackend(int index, String name) -> {
        out.println("result    fallback, backend " + name);
        yield 0;
      }
      case Fallback.Reject(Fallback.Kind kind, int status) -> {
        out.println(
            "result    fallback, reject: "
                + kind.label()
                + (kind == Fallback.Kind.HTTP_STATUS ? ", status " + status : ""));
        yield REJECTED;
      }
    };
  }

  private String client(HostName host, IpAddress peer) {
    String speaks =
        !targetHost.isEmpty()
            ? "HTTP, target " + host + (httpHost.isEmpty() ? "" : ", Host " + httpHost)
            : !httpHost.isEmpty()
                ? "HTTP, host " + host
                : !serverName.isEmpty()
                    ? "TLS, server name " + host
                    : alpn.isEmpty() ? "no name" : "TLS without a server name";
    return speaks + (alpn.isEmpty() ? "" : ", ALPN " + alpn) + ", from " + peer;
  }

  private ListenerConfig listener(Configuration configuration) {
    List<ListenerConfig> listeners = configuration.listeners();
    List<String> known =
        listeners.stream().flatMap(l -> l.bind().stream()).map(BindAddress::toString).toList();
    if (address.isEmpty()) {
      if (listeners.size() == 1) {
        return listeners.getFirst();
      }
      throw usage("--listener is missing: write one of " + String.join(", ", known));
    }
    if (BindAddress.parse(address) instanceof Reading.Good<BindAddress>(BindAddress wanted)) {
      Optional<ListenerConfig> found =
          listeners.stream().filter(l -> l.bind().contains(wanted)).findFirst();
      if (found.isPresent()) {
        return found.get();
      }
    }
    throw usage(
        "no listener is bound to " + address + ": write one of " + String.join(", ", known));
  }

  private HostName host() {
    boolean http = !httpHost.isEmpty() || !targetHost.isEmpty();
    if (!serverName.isEmpty() && http) {
      throw usage("--sni and --host or --target exclude each other: TLS or HTTP");
    }
    if (http && !alpn.isEmpty()) {
      throw usage("--host or --target and --alpn exclude each other: only TLS has ALPN");
    }
    return name(
        !serverName.isEmpty()
            ? serverName
            : withoutPort(targetHost.isEmpty() ? httpHost : targetHost));
  }

  /** What the listener turns away before it looks for a route; empty if nothing. */
  private String malformed(ListenerConfig listener, HostName host) {
    if (host.raw().chars().anyMatch(c -> c <= ' ' || c == 0x7f)) {
      return "a control character or a space in the name";
    }
    boolean mismatch =
        !targetHost.isEmpty()
            && !httpHost.isEmpty()
            && !name(withoutPort(httpHost)).toString().equals(host.toString());
    return mismatch && listener.onMismatch() == OnMismatch.REFUSE
        ? "target and Host name two hosts (on-mismatch: refuse)"
        : "";
  }

  private static HostName name(String text) {
    String given = text;
    if (!given.chars().allMatch(c -> c < 0x80)) {
      given =
          HostPattern.parseHost(given) instanceof Reading.Good<HostPattern>(HostPattern pattern)
              ? pattern.text()
              : given;
    }
    byte[] bytes = given.getBytes(StandardCharsets.UTF_8);
    HostName host = new HostName();
    host.set(ByteBuffer.wrap(bytes), 0, bytes.length);
    return host;
  }

  private static String withoutPort(String authority) {
    int colon = authority.lastIndexOf(':');
    boolean port =
        colon >= 0 && authority.substring(colon + 1).chars().allMatch(Character::isDigit);
    return port ? authority.substring(0, colon) : authority;
  }

  private AlpnList offered() {
    try {
      return AlpnList.of(alpn);
    } catch (IllegalArgumentException e) {
      throw usage("--alpn: " + e.getMessage());
    }
  }

  private ParameterException usage(String message) {
    return new ParameterException(spec.commandLine(), message);
  }
}
