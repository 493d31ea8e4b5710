package dev.peekpass.wire;

import static java.util.Objects.requireNonNull;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** What real HTTP clients sent first: {@code src/test/resources/corpus-http}. */
final class CapturedFlights {
  /** One flight and what a parser must find in it, said as {@link Outcome} says it. */
  record Flight(String file, Protocol protocol, int headEnd, String outcome) {
    byte[] bytes() {
      return resource(file);
    }

    @Override
    public String toString() {
      return file;
    }
  }

  private CapturedFlights() {}

  static List<Flight> all() {
    String index = new String(resource("index.tsv"), StandardCharsets.ISO_8859_1);
    return index
        .lines()
        .filter(line -> !line.startsWith("#"))
        .map(CapturedFlights::flight)
        .toList();
  }

  /** The parser for a flight's protocol. */
  static HeadParser parser(Protocol protocol, ParserScratch scratch) {
    return protocol == Protocol.HTTP2 ? new Http2Parser(scratch) : new Http1Parser(scratch);
  }

  private static Flight flight(String line) {
    String[] columns = line.split("\t", -1);
    boolean named = !columns[2].equals("-");
    return new Flight(
        columns[0],
        columns[1].equals(Protocol.HTTP2.label()) ? Protocol.HTTP2 : Protocol.HTTP1,
        Integer.parseInt(columns[4]),
        "%s %s %s %s %s"
            .formatted(
                named ? "found" : "absent",
                columns[1],
                named ? columns[2] : "",
                columns[3],
                columns[4]));
  }

  private static byte[] resource(String name) {
    try (InputStream in = CapturedFlights.class.getResourceAsStream("/corpus-http/" + name)) {
      return requireNonNull(in, name).readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
