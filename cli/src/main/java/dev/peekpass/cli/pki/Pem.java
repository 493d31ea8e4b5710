package dev.peekpass.cli.pki;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A block of a PEM file, RFC 7468.
 *
 * @param label what stands after BEGIN
 * @param encrypted whether it has the header of OpenSSL's own encryption
 * @param der the content; meaningless when encrypted
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
record Pem(String label, boolean encrypted, byte[] der) {
  private static final int MAX_FILE_BYTES = 1 << 20;
  private static final Pattern BLOCK =
      Pattern.compile("-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \\1-----", Pattern.DOTALL);
  private static final Pattern HEADERS = Pattern.compile("(?s)\\s*(?:[A-Za-z-]+:[^\n]*\n)+\\s*\n");

  /**
   * Reads a file's blocks; what stands between them is ignored.
   *
   * @throws IOException if the file cannot be read or a block is no base64; the message begins with
   *     the file
   */
  static List<Pem> read(Path file) throws IOException {
    byte[] bytes;
    try (InputStream in = Files.newInputStream(file)) {
      bytes = in.readNBytes(MAX_FILE_BYTES + 1);
    } catch (NoSuchFileException e) {
      throw new IOException(file + ": no such file", e);
    } catch (AccessDeniedException e) {
      throw new IOException(file + ": permission denied", e);
    } catch (IOException e) {
      throw new IOException(file + ": " + e.getMessage(), e);
    }
    if (bytes.length > MAX_FILE_BYTES) {
      throw new IOException(file + ": longer than " + MAX_FILE_BYTES + " bytes: not a PEM file");
    }
    List<Pem> blocks = new ArrayList<>();
    Matcher block = BLOCK.matcher(new String(bytes, ISO_8859_1));
    while (block.find()) {
      boolean encrypted = block.group(2).contains("ENCRYPTED");
      String base64 = HEADERS.matcher(block.group(2)).replaceFirst("");
      try {
        blocks.add(new Pem(block.group(1), encrypted, Base64.getMimeDecoder().decode(base64)));
      } catch (IllegalArgumentException e) {
        throw new IOException(file + ": the " + block.group(1) + " is not base64", e);
      }
    }
    return blocks;
  }

  /** A block as text. */
  static String text(String label, byte[] der) {
    String base64 = Base64.getMimeEncoder(64, "\n".getBytes(US_ASCII)).encodeToString(der);
    return "-----BEGIN " + label + "-----\n" + base64 + "\n-----END " + label + "-----\n";
  }
}
