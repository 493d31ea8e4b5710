package dev.peekpass.cli.demo;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.SplittableRandom;

/** A small site with a big file. */
final class DemoSite {
  /** The big file, in the site's directory. */
  static final String BIG_FILE = "big.bin";

  /** Many times what the socket buffers between a client and a backend hold. */
  static final long BIG_FILE_BYTES = 64L << 20;

  private static final int CHUNK_BYTES = 1 << 16;

  private DemoSite() {}

  /**
   * Writes the site of a host.
   *
   * @param directory created
   */
  static void write(Path directory, String host) throws IOException {
    Files.createDirectories(directory);
    String page =
        """
        <!doctype html>
        <meta charset="utf-8">
        <title>%1$s</title>
        <h1>This is %1$s</h1>
        <p>The proxy looked at your first bytes, passed the connection here, and is out of it.
        <ul>
        <li><a href="/.peekpass/whoami">what this backend sees of you</a>
        <li><a href="/%2$s">a big file: kill the proxy while it loads</a>
        </ul>
        """
            .formatted(host, BIG_FILE);
    Files.writeString(directory.resolve("index.html"), page, US_ASCII);
  }

  /**
   * Writes the big file.
   *
   * @return the SHA-256 of its content, in hexadecimal
   */
  static String writeBigFile(Path directory) throws IOException {
    MessageDigest digest = sha256();
    // The same on every run: who compares two runs compares the same bytes.
    SplittableRandom random = new SplittableRandom(BIG_FILE_BYTES);
    byte[] chunk = new byte[CHUNK_BYTES];
    try (OutputStream out = Files.newOutputStream(directory.resolve(BIG_FILE))) {
      for (long written = 0; written < BIG_FILE_BYTES; written += chunk.length) {
        random.nextBytes(chunk);
        digest.update(chunk);
        out.write(chunk);
      }
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /** A new SHA-256. */
  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("this JVM lacks SHA-256, which every JDK has", e);
    }
  }
}
