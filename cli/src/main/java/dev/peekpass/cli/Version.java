package dev.peekpass.cli;

import java.io.IOException;
import java.io.InputStream;
import java.util.Properties;
import picocli.CommandLine.IVersionProvider;

/** What {@code --version} prints: the build's version, which Maven writes into a resource. */
final class Version implements IVersionProvider {
  Version() {}

  /** The build's version alone. */
  static String number() throws IOException {
    Properties build = new Properties();
    try (InputStream in = Version.class.getResourceAsStream("build.properties")) {
      if (in != null) {
        build.load(in);
      }
    }
    return build.getProperty("version", "of an unknown build");
  }

  @Override
  public String[] getVersion() throws IOException {
    return new String[] {"peekpass " + number(), "java " + Runtime.version()};
  }
}
