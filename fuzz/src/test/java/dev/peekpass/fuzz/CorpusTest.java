package dev.peekpass.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every input that fuzzing has kept, run again through its target, without the fuzzer. */
class CorpusTest {
  private static final Path RESOURCES = Path.of("src", "test", "resources");
  private static final int MOST_CORPUS_BYTES = 2 << 20;

  static List<Targets.Target> targets() {
    return Targets.all();
  }

  private static Path pack(Targets.Target target) {
    return RESOURCES.resolve("corpus").resolve(target.name() + ".zip");
  }

  /** The inputs of a target, each with its name. */
  private static void forEach(Targets.Target target, BiConsumer<String, byte[]> use)
      throws IOException {
    Targets.unpack(pack(target), use);
    Path findings = RESOURCES.resolve("findings").resolve(target.name());
    if (Files.isDirectory(findings)) {
      try (Stream<Path> files = Files.list(findings)) {
        for (Path file : files.toList()) {
          use.accept(file.getFileName().toString(), Files.readAllBytes(file));
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("targets")
  void everyKeptInputKeepsEveryPromise(Targets.Target target) throws IOException {
    assertThat(pack(target)).as("run scripts/fuzz 1 %s, then --merge", target).isRegularFile();
    Targets.Body body = target.body();
    List<String> ran = new ArrayList<>();
    forEach(
        target,
        (name, input) -> {
          try {
            body.run(input);
          } catch (RuntimeException | Error e) {
            throw new AssertionError(target + ", input " + name, e);
          }
          ran.add(name);
        });
    assertThat(ran).as("inputs of %s", target).hasSizeGreaterThan(9);
  }

  @Test
  void allTogetherStaySmall() throws IOException {
    long bytes = 0;
    try (Stream<Path> files = Files.walk(RESOURCES)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        bytes += Files.size(file);
      }
    }
    assertThat(bytes).isLessThan(MOST_CORPUS_BYTES);
  }

  @Test
  void noInputsAreLeftOfATargetThatIsGone() throws IOException {
    List<String> names = Targets.all().stream().map(Targets.Target::name).toList();
    for (String kind : List.of("corpus", "findings")) {
      Path directory = RESOURCES.resolve(kind);
      if (Files.isDirectory(directory)) {
        try (Stream<Path> files = Files.list(directory)) {
          assertThat(files.map(file -> file.getFileName().toString().replaceFirst("\\.zip$", "")))
              .isSubsetOf(names);
        }
      }
    }
  }
}
