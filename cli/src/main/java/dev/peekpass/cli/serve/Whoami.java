package dev.peekpass.cli.serve;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;

/** Tells a client, as JSON, who serves it and what the backend sees of it. */
final class Whoami {
  private static final JsonFactory JSON = new JsonFactory();

  private Whoami() {}

  /**
   * One JSON object and a line feed: {@code backend}, {@code pid}, {@code remote}, {@code local},
   * {@code tls}, {@code sni}, {@code alpn}, {@code host}; null for what there is not.
   *
   * @param name of the backend
   */
  static byte[] json(String name, ClientFacts facts, RequestHead head) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (JsonGenerator json = JSON.createGenerator(out)) {
      json.writeStartObject();
      json.writeStringField("backend", name);
      json.writeNumberField("pid", ProcessHandle.current().pid());
      json.writeStringField("remote", facts.remote());
      json.writeStringField("local", facts.local());
      json.writeStringField("tls", facts.tls().map(ClientFacts.Tls::version).orElse(null));
      json.writeStringField("sni", facts.tls().map(ClientFacts.Tls::serverName).orElse(null));
      json.writeStringField("alpn", facts.tls().map(ClientFacts.Tls::alpn).orElse(null));
      json.writeStringField("host", head.field("host").orElse(null));
      json.writeEndObject();
      json.writeRaw('\n');
    } catch (IOException e) {
      throw new UncheckedIOException("writing to memory", e);
    }
    return out.toByteArray();
  }
}
