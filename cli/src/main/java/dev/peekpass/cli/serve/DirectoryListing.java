package dev.peekpass.cli.serve;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** A page that names what is in a directory. */
final class DirectoryListing {
  /** The most names on a page; what is beyond is not shown, and the page says so. */
  static final int MAX_NAMES = 10_000;

  private DirectoryListing() {}

  /**
   * Writes the page.
   *
   * @param title the directory as the client knows it
   * @throws IOException if it cannot be read
   */
  static byte[] page(Path directory, String title, boolean isRoot) throws IOException {
    List<String> names = new ArrayList<>();
    boolean cut = false;
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory)) {
      for (Path entry : entries) {
        if (names.size() == MAX_NAMES) {
          cut = true;
          break;
        }
        boolean isDirectory = Files.isDirectory(entry, LinkOption.NOFOLLOW_LINKS);
        names.add(entry.getFileName() + (isDirectory ? "/" : ""));
      }
    } catch (DirectoryIteratorException e) {
      throw e.getCause();
    }
    Collections.sort(names);
    StringBuilder out = new StringBuilder("<!doctype html>\n<meta charset=\"utf-8\">\n");
    out.append("<title>").append(escape(title)).append("</title>\n");
    out.append("<h1>").append(escape(title)).append("</h1>\n<ul>\n");
    if (!isRoot) {
      out.append("<li><a href=\"../\">../</a>\n");
    }
    for (String name : names) {
      String plain = name.endsWith("/") ? name.substring(0, name.length() - 1) : name;
      // "./" in front, or a name with a colon would be taken for a scheme.
      out.append("<li><a href=\"./").append(RequestPath.encode(plain));
      out.append(name.endsWith("/") ? "/" : "").append("\">").append(escape(name)).append("</a>\n");
    }
    out.append("</ul>\n").append(cut ? "<p>There is more.\n" : "");
    return out.toString().getBytes(UTF_8);
  }

  private static String escape(String text) {
    return text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\"", "&quot;");
  }
}
