package dev.peekpass.cli;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Reads sizes such as {@code 65536}, {@code 64KiB} or {@code 1MiB}, in bytes, 1 to 1 GiB. */
final class ByteSize implements ITypeConverter<Integer> {
  private static final Pattern FORM = Pattern.compile("([0-9]{1,10})(B|KiB|MiB)?");
  private static final long MAX_BYTES = 1L << 30;

  @Override
  public Integer convert(String text) {
    Matcher form = FORM.matcher(text);
    if (form.matches()) {
      String unit = form.group(2);
      int shift = "KiB".equals(unit) ? 10 : "MiB".equals(unit) ? 20 : 0;
      long bytes = Long.parseLong(form.group(1)) << shift;
      if (bytes >= 1 && bytes <= MAX_BYTES) {
        return (int) bytes;
      }
    }
    throw new TypeConversionException("must be a size from 1 to 1024MiB, is " + text);
  }
}
