package dev.peekpass.fuzz;

import dev.peekpass.wire.Http1Parser;
import dev.peekpass.wire.ParserScratch;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpRequestDecoder;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.eclipse.jetty.http.HttpField;
import org.eclipse.jetty.http.HttpParser;
import org.eclipse.jetty.http.HttpVersion;
import org.jspecify.annotations.Nullable;

/** HTTP/1 heads beside two other readers: Netty's decoder and Jetty's parser. */
public final class Http1OracleTarget {
  private static final int LIMIT_BYTES = 16 * 1024;

  private static final ParserScratch SCRATCH = new ParserScratch(LIMIT_BYTES);
  private static final Http1Parser PARSER = new Http1Parser(SCRATCH);

  private Http1OracleTarget() {}

  /** Takes one input: the first bytes of an HTTP/1 connection. */
  public static void fuzzerTestOneInput(byte[] input) {
    PARSER.reset();
    Reading ours = Reading.of(PARSER.parse(ByteBuffer.wrap(input), input.length), SCRATCH);
    if (ours.refused()) {
      return;
    }
    ours.expectSame(byNetty(input), "Netty");
    ours.expectSame(byJetty(input), "Jetty");
  }

  /** The host as a server finds it that goes by the Host field, or by the target without one. */
  private static Reading host(String method, String target, List<String> fields) {
    if (fields.size() > 1) {
      // Which one a server takes is its own affair: the first, here, for ours saw one at most.
      return new Reading(false, "more than one Host: " + fields, "");
    }
    String field = fields.isEmpty() ? "" : fields.getFirst().strip();
    if (!field.isEmpty()) {
      return Reading.of(Reading.withoutPort(field));
    }
    return Reading.of(Reading.withoutPort(authority(method, target)));
  }

  private static String authority(String method, String target) {
    if (method.equals("CONNECT")) {
      return target;
    }
    int scheme = target.indexOf("://");
    if (scheme < 0 || target.startsWith("/")) {
      return "";
    }
    String rest = target.substring(scheme + "://".length());
    int end = 0;
    while (end < rest.length() && "/?#".indexOf(rest.charAt(end)) < 0) {
      end++;
    }
    return rest.substring(0, end);
  }

  static Reading byNetty(byte[] input) {
    EmbeddedChannel channel = new EmbeddedChannel(new HttpRequestDecoder());
    try {
      channel.writeInbound(Unpooled.wrappedBuffer(input));
      Object first = channel.readInbound();
      if (!(first instanceof HttpRequest request) || !request.decoderResult().isSuccess()) {
        return Reading.REFUSED;
      }
      return host(request.method().name(), request.uri(), request.headers().getAll("host"));
    } catch (RuntimeException e) {
      // It refuses the bytes.
      return Reading.REFUSED;
    } finally {
      Channels.end(channel);
    }
  }

  /** What Jetty's parser calls. */
  private static final class Jetty implements HttpParser.RequestHandler {
    private final List<String> fields = new ArrayList<>();
    private String method = "";
    private String target = "";
    private boolean complete;
    private boolean bad;

    @Override
    public void startRequest(String method, String uri, HttpVersion version) {
      this.method = method;
      target = uri;
    }

    @Override
    public void parsedHeader(HttpField field) {
      if (field.getName().toLowerCase(Locale.ROOT).equals("host")) {
        @Nullable String value = field.getValue();
        fields.add(value == null ? "" : value);
      }
    }

    @Override
    public boolean headerComplete() {
      complete = true;
      return true;
    }

    @Override
    public void badMessage(org.eclipse.jetty.http.HttpException failure) {
      bad = true;
    }

    @Override
    public boolean content(ByteBuffer item) {
      return true;
    }

    @Override
    public boolean contentComplete() {
      return true;
    }

    @Override
    public boolean messageComplete() {
      return true;
    }

    @Override
    public void parsedTrailer(HttpField field) {
      // Behind the head.
    }

    @Override
    public void earlyEOF() {
      bad = true;
    }
  }

  static Reading byJetty(byte[] input) {
    Jetty handler = new Jetty();
    HttpParser parser = new HttpParser(handler, LIMIT_BYTES);
    try {
      parser.parseNext(ByteBuffer.wrap(input));
    } catch (RuntimeException e) {
      return Reading.REFUSED;
    }
    return handler.bad || !handler.complete
        ? Reading.REFUSED
        : host(handler.method, handler.target, handler.fields);
  }
}
