package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * What the shipped modules contain is what their bills of materials and docs/dependencies.md say.
 */
class DependenciesTest {
  /** A part of a bill of materials: its version, and its SHA-256 in hexadecimal. */
  private record Part(String version, String sha256, boolean hasLicence) {}

  private static final Pattern ROW =
      Pattern.compile("\\| ([a-z0-9-]+) \\| ([0-9][^ |]*) \\| [^|]+ \\| [^|]+ \\|");

  @Test
  void theProgramsBillNamesEveryJarWithItsHashAndLicence() throws Exception {
    Map<String, Part> bill = bill("cli");
    assertThat(bill.values()).allMatch(Part::hasLicence);
    Map<String, String> billed = new TreeMap<>();
    bill.forEach((name, part) -> billed.put(name + "-" + part.version() + ".jar", part.sha256()));
    Map<String, String> shipped = new TreeMap<>();
    try (Stream<Path> files = Files.list(Running.ROOT.resolve("cli/target/lib"))) {
      for (Path jar : files.filter(file -> file.toString().endsWith(".jar")).toList()) {
        // A bill does not contain what it is about.
        if (!jar.getFileName().toString().startsWith("peekpass-cli-")) {
          shipped.put(jar.getFileName().toString(), sha256(jar));
        }
      }
    }
    assertThat(billed).isEqualTo(shipped);
  }

  @Test
  void theDocumentNamesWhatIsNotOurs() throws Exception {
    Map<String, String> foreign = new TreeMap<>();
    bill("cli")
        .forEach((name, part) -> {
          if (!name.startsWith("peekpass-")) {
            foreign.put(name, part.version());
          }
        });
    Map<String, String> documented = new TreeMap<>();
    Matcher rows = ROW.matcher(Files.readString(Running.ROOT.resolve("docs/dependencies.md")));
    while (rows.find()) {
      documented.put(rows.group(1), rows.group(2));
    }
    assertThat(documented).isEqualTo(foreign);
  }

  @Test
  void whatBackendsTakeInBringsNothingOfOthers() throws Exception {
    for (String module : new String[] {"agent", "receiver", "receiver-netty", "receiver-servlet"}) {
      assertThat(bill(module).keySet())
          .as(module)
          .isNotEmpty()
          .allMatch(it -> it.startsWith("peekpass-"));
    }
  }

  private static Map<String, Part> bill(String module) throws IOException {
    Path file = Running.ROOT.resolve(module + "/target/sbom/peekpass-" + module + ".cdx.json");
    assumeThat(file).as("the bill; Maven makes none with --offline").exists();
    Map<String, Part> parts = new TreeMap<>();
    try (JsonParser json = new JsonFactory().createParser(file.toFile())) {
      assertThat(json.nextToken()).isEqualTo(JsonToken.START_OBJECT);
      while (json.nextToken() == JsonToken.FIELD_NAME) {
        String field = json.currentName();
        JsonToken value = json.nextToken();
        if (field.equals("components")) {
          while (json.nextToken() == JsonToken.START_OBJECT) {
            part(json, parts);
          }
        } else if (field.equals("bomFormat")) {
          assertThat(json.getText()).isEqualTo("CycloneDX");
        } else if (value.isStructStart()) {
          json.skipChildren();
        }
      }
    }
    return parts;
  }

  private static void part(JsonParser json, Map<String, Part> parts) throws IOException {
    String name = "";
    String version = "";
    String sha256 = "";
    boolean hasLicence = false;
    while (json.nextToken() == JsonToken.FIELD_NAME) {
      String field = json.currentName();
      JsonToken value = json.nextToken();
      switch (field) {
        case "name" -> name = json.getText();
        case "version" -> version = json.getText();
        case "hashes" -> {
          while (json.nextToken() == JsonToken.START_OBJECT) {
            String algorithm = "";
            String content = "";
            while (json.nextToken() == JsonToken.FIELD_NAME) {
              boolean isAlgorithm = json.currentName().equals("alg");
              json.nextToken();
              if (isAlgorithm) {
                algorithm = json.getText();
              } else {
                content = json.getText();
              }
            }
            sha256 = algorithm.equals("SHA-256") ? content : sha256;
          }
        }
        case "licenses" -> {
          hasLicence = json.nextToken() == JsonToken.START_OBJECT;
          while (json.currentToken() != JsonToken.END_ARRAY) {
            json.skipChildren();
            json.nextToken();
          }
        }
        default -> {
          if (value.isStructStart()) {
            json.skipChildren();
          }
        }
      }
    }
    parts.put(name, new Part(version, sha256, hasLicence));
  }

  private static String sha256(Path file) throws IOException, NoSuchAlgorithmException {
    return HexFormat.of()
        .formatHex(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file)));
  }
}
