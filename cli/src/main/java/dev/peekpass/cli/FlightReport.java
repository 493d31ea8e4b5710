package dev.peekpass.cli;

import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.StreamWriteFeature;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import dev.peekpass.wire.ClientHelloParser;
import dev.peekpass.wire.FirstFlightParser;
import dev.peekpass.wire.HeadParser;
import dev.peekpass.wire.Http1Parser;
import dev.peekpass.wire.Http2Parser;
import dev.peekpass.wire.Parsed;
import dev.peekpass.wire.ParserScratch;
import dev.peekpass.wire.Peeked;
import dev.peekpass.wire.Protocol;
import dev.peekpass.wire.ProxyHeader;
import dev.peekpass.wire.ProxyHeader.Endpoint;
import dev.peekpass.wire.ProxyHeaderParser;
import java.io.Closeable;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** Judges first flights and writes one JSON object a line about each. */
final class FlightReport implements Closeable {
  private final int limitBytes;
  private final @Nullable FlightFormat as;
  private final FirstFlightParser any;
  private final HeadParser parser;
  private final ProxyHeaderParser proxyParser;
  private final JsonGenerator json;

  /**
   * A report.
   *
   * @param as what to take the flights for, or null to go by their first bytes
   * @param limitBytes how many of a flight's bytes to look at, at least 1
   * @param out takes the lines; flushed when this is closed, not closed
   */
  FlightReport(@Nullable FlightFormat as, int limitBytes, OutputStream out) throws IOException {
    this.as = as;
    this.limitBytes = limitBytes;
    ParserScratch scratch = new ParserScratch(limitBytes);
    any = new FirstFlightParser(scratch);
    parser =
        switch (as) {
          case TLS -> new ClientHelloParser(scratch);
          case HTTP -> new Http1Parser(scratch);
          case H2 -> new Http2Parser(scratch);
          case null, default -> any;
        };
    proxyParser = new ProxyHeaderParser(limitBytes);
    // Names come as Latin-1 of what was sent: escaping them keeps control characters, 0x80 to 0x9f
    // too, away from terminals, and the output the same in every locale.
    json =
        new JsonFactoryBuilder()
            .rootValueSeparator("")
            .enable(JsonWriteFeature.ESCAPE_NON_ASCII)
            .disable(StreamWriteFeature.AUTO_CLOSE_TARGET)
            .build()
            .createGenerator(out);
  }

  /**
   * Writes about the flight in a file.
   *
   * @param file its name as the user gave it
   * @param line which line of it, from 1 on, or 0 if the file is one flight
   * @param bytes read from offset 0 to its limit
   */
  void file(String file, long line, ByteBuffer bytes) throws IOException {
    json.writeStartObject();
    json.writeStringField("file", file);
    if (line > 0) {
      json.writeNumberField("line", line);
    }
    judge(bytes);
  }

  /**
   * Writes about a flight on standard input.
   *
   * @param line which line of it, from 1 on
   * @param bytes read from offset 0 to its limit
   */
  void line(long line, ByteBuffer bytes) throws IOException {
    json.writeStartObject();
    json.writeNumberField("line", line);
    judge(bytes);
  }

  private void judge(ByteBuffer bytes) throws IOException {
    int length = Math.min(bytes.limit(), limitBytes);
    if (as == FlightFormat.PROXY) {
      json.writeStringField("protocol", as.label());
      proxyParser.reset();
      proxy(proxyParser.parse(bytes, length));
    } else {
      parser.reset();
      head(parser.parse(bytes, length), bytes, length);
    }
    json.writeEndObject();
    json.writeRaw('\n');
  }

  private void head(Parsed<Peeked> parsed, ByteBuffer bytes, int length) throws IOException {
    FlightFormat format = as != null ? as : format(any.protocol());
    if (format == null) {
      json.writeNullField("protocol");
    } else {
      json.writeStringField("protocol", format.label());
    }
    switch (parsed) {
      case Parsed.Incomplete<Peeked> incomplete -> verdict("incomplete");
      case Parsed.TooLarge<Peeked>(int limit) -> tooLarge(limit);
      case Parsed.Invalid<Peeked>(String reason) -> malformed(reason);
      case Parsed.Foreign<Peeked> foreign -> {
        boolean preface = format == FlightFormat.HTTP && Http1Parser.isHttp2Preface(bytes, length);
        verdict(format == null ? "unknown" : preface ? "h2-preface" : format.foreign());
      }
      case Parsed.Found<Peeked>(Peeked peeked) -> {
        verdict("ok");
        values(peeked);
      }
      case Parsed.Absent<Peeked>(Peeked peeked) -> {
        verdict(peeked.protocol() == Protocol.TLS ? "ok" : "no-host");
        values(peeked);
      }
    }
  }

  private static @Nullable FlightFormat format(@Nullable Protocol protocol) {
    return switch (protocol) {
      case TLS -> FlightFormat.TLS;
      case HTTP1 -> FlightFormat.HTTP;
      case HTTP2 -> FlightFormat.H2;
      case null -> null;
    };
  }

  private void values(Peeked peeked) throws IOException {
    String host = peeked.host().isEmpty() ? null : peeked.host().raw();
    if (peeked.protocol() == Protocol.TLS) {
      json.writeStringField("sni", host);
      json.writeArrayFieldStart("alpn");
      for (String name : peeked.alpn().toList()) {
        json.writeString(name);
      }
      json.writeEndArray();
      json.writeNumberField("hello_end", peeked.headEnd());
      json.writeNumberField("records", peeked.records());
      json.writeBooleanField("ech", peeked.encryptedClientHello());
      return;
    }
    if (host == null) {
      return;
    }
    if (peeked.protocol() == Protocol.HTTP2) {
      json.writeStringField("authority", peeked.port() < 0 ? host : host + ":" + peeked.port());
    }
    json.writeStringField("host", host);
    if (peeked.port() >= 0) {
      json.writeNumberField("port", peeked.port());
    }
    if (!peeked.hostField().isEmpty()) {
      json.writeStringField("host_field", peeked.hostField().raw());
    }
  }

  private void proxy(Parsed<ProxyHeader> parsed) throws IOException {
    switch (parsed) {
      case Parsed.Incomplete<ProxyHeader> incomplete -> verdict("incomplete");
      case Parsed.TooLarge<ProxyHeader>(int limit) -> tooLarge(limit);
      case Parsed.Invalid<ProxyHeader>(String reason) -> malformed(reason);
      case Parsed.Foreign<ProxyHeader> foreign -> verdict(FlightFormat.PROXY.foreign());
      case Parsed.Found<ProxyHeader>(ProxyHeader header) -> addresses(header);
      case Parsed.Absent<ProxyHeader>(ProxyHeader header) -> addresses(header);
    }
  }

  private void addresses(ProxyHeader header) throws IOException {
    verdict("ok");
    end("src", "sport", header.source());
    end("dst", "dport", header.destination());
  }

  private void end(String addressField, String portField, @Nullable Endpoint end)
      throws IOException {
    switch (end) {
      case Endpoint.Inet inet -> {
        json.writeStringField(addressField, inet.text());
        json.writeNumberField(portField, inet.port());
      }
      case Endpoint.Unix(String path) -> json.writeStringField(addressField, path);
      case null -> {}
    }
  }

  private void tooLarge(int limit) throws IOException {
    verdict("too-large");
    json.writeStringField("reason", "larger than " + limit + " bytes");
  }

  private void malformed(String reason) throws IOException {
    verdict("malformed");
    json.writeStringField("reason", reason);
  }

  private void verdict(String verdict) throws IOException {
    json.writeStringField("verdict", verdict);
  }

  @Override
  public void close() throws IOException {
    json.close();
  }
}
