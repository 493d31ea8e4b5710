package dev.peekpass.cli;

import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** What {@code peekpass peek --as} takes a first flight for. */
enum FlightFormat {
  TLS("tls"),
  HTTP("http"),
  H2("h2"),
  PROXY("proxy");

  private final String label;

  FlightFormat(String label) {
    this.label = label;
  }

  /** The word on the command line and in the output. */
  String label() {
    return label;
  }

  /** The verdict for bytes that are not of this protocol. */
  String foreign() {
    return "not-" + label;
  }

  /** Reads {@link #label()}s. */
  static final class Converter implements ITypeConverter<FlightFormat> {
    @Override
    public FlightFormat convert(String word) {
      return Arrays.stream(values())
          .filter(format -> format.label.equals(word))
          .findFirst()
          .orElseThrow(
              () -> new TypeConversionException("must be one of tls, http, h2, proxy, is " + word));
    }
  }

  /** The words, for help and completion. */
  static final class Labels implements Iterable<String> {
    @Override
    public Iterator<String> iterator() {
      return List.of("tls", "http", "h2", "proxy").iterator();
    }
  }
}
