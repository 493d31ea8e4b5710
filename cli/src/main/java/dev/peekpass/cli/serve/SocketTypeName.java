package dev.peekpass.cli.serve;

import dev.peekpass.receiver.SocketType;
import java.util.Locale;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Reads the name of a socket type as it is written on the command line. */
final class SocketTypeName implements ITypeConverter<SocketType> {
  /** For picocli. */
  SocketTypeName() {}

  @Override
  public SocketType convert(String value) {
    for (SocketType type : SocketType.values()) {
      if (type.name().toLowerCase(Locale.ROOT).equals(value)) {
        return type;
      }
    }
    throw new TypeConversionException(
        "'" + value + "' is not a socket type; write acknowledged, stream or datagram");
  }
}
