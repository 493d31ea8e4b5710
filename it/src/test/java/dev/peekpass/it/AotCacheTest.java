package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The cache that {@code peekpass run} starts from: when it is used, and when it is not. */
@Tag("processes")
class AotCacheTest {
  /** A class that each proxy needs. */
  private static final String LOOP = "dev.peekpass.proxy.Loop source: ";

  private static final String CACHED = "shared objects file";

  @TempDir private Path dir;

  private Path root;

  /** A tree as it would be installed, so that its cache is this test's own. */
  @BeforeEach
  void install() throws IOException {
    root = Files.createDirectory(dir.resolve("installed"));
    for (String part : List.of("peekpass", "scripts/find-jdk.sh", "cli/target/lib")) {
      copy(Running.ROOT.resolve(part), root.resolve(part));
    }
  }

  @Test
  void aRunStartsFromIt() throws IOException {
    Running.Done made = makeCache();

    assertThat(made.status()).as(made.errors()).isZero();
    assertThat(made.output()).isEqualTo(cache().toRealPath() + "\n");
    assertThat(made.errors()).contains("making the cache");
    assertThat(loopComesFrom("")).isEqualTo(CACHED);
    assertThat(loopComesFrom("", "PEEKPASS_NO_AOT=1")).startsWith("file:");
  }

  @Test
  void itIsMadeOnce() throws IOException {
    assertThat(makeCache().status()).isZero();
    FileTime made = Files.getLastModifiedTime(cache());
    Running.Done again = makeCache();

    assertThat(again.status()).isZero();
    assertThat(again.errors()).isEmpty();
    assertThat(Files.getLastModifiedTime(cache())).isEqualTo(made);
  }

  @Test
  void itIsMadeAnewAfterABuild() throws IOException {
    assertThat(makeCache().status()).isZero();
    FileTime made = Files.getLastModifiedTime(Path.of(cache() + ".for"));
    Files.setLastModifiedTime(jar("cli"), FileTime.fromMillis(made.toMillis() + 1));

    assertThat(loopComesFrom("")).startsWith("file:");
    assertThat(makeCache().errors()).contains("making the cache");
    assertThat(loopComesFrom("")).isEqualTo(CACHED);
  }

  @Test
  void oneThatTheJvmRejectsIsPassedOverInSilence() throws IOException {
    assertThat(makeCache().status()).isZero();
    FileTime built = Files.getLastModifiedTime(jar("cli"));
    // Older than the cache, so that only the JVM can see that it is another jar.
    Files.setLastModifiedTime(jar("cli"), FileTime.fromMillis(built.toMillis() - 10_000));
    assertThat(loopComesFrom("")).as("another jar").startsWith("file:");

    Files.setLastModifiedTime(jar("cli"), built);
    assertThat(loopComesFrom("")).isEqualTo(CACHED);
    try (RandomAccessFile file = new RandomAccessFile(cache().toFile(), "rw")) {
      file.setLength(file.length() / 2);
    }
    assertThat(loopComesFrom("")).as("half a cache").startsWith("file:");
    Files.write(cache(), new byte[0]);
    assertThat(loopComesFrom("")).as("an empty cache").startsWith("file:");
  }

  @Test
  void optionsThatRuleItOutStartTheProxyAllTheSame() throws IOException {
    assertThat(makeCache().status()).isZero();

    for (String options : List.of("-Xshare:auto", "-XX:-UseSerialGC -XX:+UseZGC")) {
      assertThat(loopComesFrom(options)).as(options).startsWith("file:");
    }
  }

  @Test
  void aTrainingThatFailsNamesItsLog() throws IOException {
    Files.delete(jar("wire"));
    Running.Done failed = makeCache();

    assertThat(failed.status()).isOne();
    assertThat(failed.errors()).contains("why is in " + cache() + ".log");
    assertThat(Path.of(cache() + ".log")).content().contains("dev.peekpass.wire");
    assertThat(makeCache().errors()).as("not tried again").doesNotContain("making the cache");
  }

  private Running.Done makeCache() throws IOException {
    return Running.run(dir, root.resolve("peekpass").toString(), "aot-cache");
  }

  /** Starts a proxy, which must say nothing out of the ordinary, and tells where it has a class. */
  private String loopComesFrom(String options, String... environment) throws IOException {
    Path config =
        Files.writeString(
            dir.resolve("peekpass.yaml"), Running.withAdmin(dir, LauncherTest.MINIMAL));
    List<String> command = new ArrayList<>(List.of("env"));
    command.addAll(List.of(environment));
    // Not to a file, which a confined JVM may not make.
    command.add("PEEKPASS_JAVA_OPTS=-Xlog:class+load:stderr " + options);
    command.addAll(List.of(root.resolve("peekpass").toString(), "run", "-c", config.toString()));
    try (Running proxy = Running.start(dir, "proxy", command)) {
      proxy.port(0);
      assertThat(proxy.stop()).isZero();
      assertThat(proxy.output().lines()).allMatch(line -> line.startsWith("peekpass: listening"));
      assertThat(proxy.errors().lines())
          .filteredOn(line -> !line.contains("/nowhere/web.sock takes no connections"))
          .filteredOn(line -> !line.contains("it serves as root"))
          .filteredOn(line -> !line.contains("[class,load] "))
          .allMatch(line -> line.contains(" INFO "));
      // Of the second program, which is the one that serves.
      return proxy
          .errors()
          .lines()
          .filter(line -> line.contains(LOOP))
          .map(line -> line.substring(line.indexOf(LOOP) + LOOP.length()))
          .reduce((first, last) -> last)
          .orElseThrow();
    }
  }

  private Path cache() {
    return root.resolve("cli/target/peekpass.aot");
  }

  /** One of Peekpass's own jars. */
  private Path jar(String module) throws IOException {
    try (Stream<Path> jars = Files.list(root.resolve("cli/target/lib"))) {
      return jars.filter(jar -> jar.toString().contains("peekpass-" + module + "-"))
          .findAny()
          .orElseThrow();
    }
  }

  private static void copy(Path from, Path to) throws IOException {
    Files.createDirectories(Objects.requireNonNull(to.getParent()));
    Files.copy(from, to, StandardCopyOption.COPY_ATTRIBUTES);
    if (Files.isDirectory(from)) {
      try (Stream<Path> files = Files.list(from)) {
        for (Path file : files.toList()) {
          copy(file, to.resolve(file.getFileName().toString()));
        }
      }
    }
  }
}
