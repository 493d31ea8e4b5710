package dev.peekpass.it;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideOutsideOfPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.library.dependencies.SlicesRuleDefinition;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The floors of ARCHITECTURE.md. */
class ArchitectureTest {
  private static final JavaClasses ALL =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages("dev.peekpass");

  @Test
  void everyModuleIsSeen() {
    for (String module :
        new String[] {
          "wire", "linux", "proxy", "receiver", "receiver.netty", "receiver.servlet", "agent", "cli"
        }) {
      assertThat(ALL.that(inPackage("dev.peekpass." + module))).as(module).isNotEmpty();
    }
  }

  private static com.tngtech.archunit.base.DescribedPredicate<
          com.tngtech.archunit.core.domain.JavaClass>
      inPackage(String name) {
    return com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage(name + "..");
  }

  @Test
  void wireKnowsOnlyTheJdkAndDoesNoInputOrOutput() {
    classes()
        .that()
        .resideInAPackage("dev.peekpass.wire..")
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage(
            "dev.peekpass.wire..",
            "java.lang..",
            "java.nio",
            "java.nio.charset",
            "java.net",
            "java.util..",
            "org.jspecify..")
        .check(ALL);
  }

  @Test
  void wireResolvesNoNamesAndOpensNoSockets() {
    noClasses()
        .that()
        .resideInAPackage("dev.peekpass.wire..")
        .should()
        .dependOnClassesThat()
        .haveNameMatching("java\\.net\\.(.*Socket.*|URL.*|URI.*|http\\..*)")
        .check(ALL);
  }

  @Test
  void linuxKnowsOnlyTheJdk() {
    classes()
        .that()
        .resideInAPackage("dev.peekpass.linux..")
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage("dev.peekpass.linux..", "java..", "org.jspecify..")
        .check(ALL);
  }

  @Test
  void onlyLinuxCallsNativeCode() {
    noClasses()
        .that()
        .resideOutsideOfPackage("dev.peekpass.linux..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("java.lang.foreign..")
        .check(ALL);
  }

  @Test
  void onlyTheMouthOfLinuxIsUsedToReachTheKernel() {
    noClasses()
        .that()
        .resideInAnyPackage("dev.peekpass.proxy..")
        .should()
        .dependOnClassesThat()
        .haveFullyQualifiedName("dev.peekpass.linux.LinuxKernel")
        .because("a simulated kernel must be able to take its place")
        .check(ALL);
  }

  @Test
  void theProxyNeverDependsOnTheReceiverNorOnWhatIsAbove() {
    noClasses()
        .that()
        .resideInAPackage("dev.peekpass.proxy..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("dev.peekpass.receiver..", "dev.peekpass.agent..", "dev.peekpass.cli..")
        .check(ALL);
  }

  @Test
  void theReceiverNeverDependsOnTheProxyNorOnWhatIsAbove() {
    noClasses()
        .that()
        .resideInAPackage("dev.peekpass.receiver..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("dev.peekpass.proxy..", "dev.peekpass.agent..", "dev.peekpass.cli..")
        .check(ALL);
  }

  @Test
  void theAgentBringsNothingButReceiverAndLinuxIntoAServer() {
    classes()
        .that()
        .resideInAPackage("dev.peekpass.agent..")
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage(
            "dev.peekpass.agent..",
            "dev.peekpass.receiver..",
            "dev.peekpass.linux..",
            "java..",
            "org.jspecify..")
        .check(ALL);
  }

  @Test
  void nobodyDependsOnTheAgent() {
    noClasses()
        .that()
        .resideOutsideOfPackage("dev.peekpass.agent..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("dev.peekpass.agent..")
        .check(ALL);
  }

  @Test
  void theReceiverDoesNotKnowItsAdaptersNorTheServersTheyAreFor() {
    noClasses()
        .that()
        .resideInAPackage("dev.peekpass.receiver")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("dev.peekpass.receiver.*..", "io.netty..", "jakarta.servlet..")
        .check(ALL);
  }

  @Test
  void theAdaptersDoNotKnowEachOther() {
    noClasses()
        .that()
        .resideInAPackage("dev.peekpass.receiver.netty..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("dev.peekpass.receiver.servlet..", "jakarta..")
        .check(ALL);
    noClasses()
        .that()
        .resideInAPackage("dev.peekpass.receiver.servlet..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("dev.peekpass.receiver.netty..", "dev.peekpass.linux..", "io.netty..")
        .check(ALL);
  }

  @Test
  void routingAndConfigurationArePure() {
    noClasses()
        .that()
        .resideInAnyPackage("dev.peekpass.proxy.route..", "dev.peekpass.proxy.config..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(
            "dev.peekpass.proxy", "dev.peekpass.linux..", "java.io..", "java.nio.file..")
        .check(ALL);
  }

  @Test
  void routesDoNotKnowTheConfigurationTheyComeFrom() {
    noClasses()
        .that()
        .resideInAPackage("dev.peekpass.proxy.route..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("dev.peekpass.proxy.config..")
        .check(ALL);
  }

  /** ARCHITECTURE.md has this table. A new package of the proxy needs a line in it. */
  private static final Map<String, Set<String>> ROOMS =
      Map.ofEntries(
          Map.entry("status", Set.of()),
          Map.entry("output", Set.of()),
          Map.entry("advice", Set.of()),
          Map.entry("route", Set.of()),
          Map.entry("config", Set.of("route")),
          Map.entry("systemd", Set.of()),
          Map.entry("probe", Set.of("config", "advice")),
          Map.entry("turn", Set.of("status")),
          Map.entry("connection", Set.of("turn", "status", "route", "output")),
          Map.entry("refusal", Set.of("connection", "turn", "config", "status")),
          Map.entry("handoff", Set.of("connection", "turn", "config", "status", "advice")),
          Map.entry("backend", Set.of("handoff", "connection", "turn", "config", "status")),
          Map.entry(
              "listen",
              Set.of("backend", "refusal", "connection", "turn", "config", "route", "status")),
          Map.entry("confine", Set.of("config")),
          Map.entry("admin", Set.of("", "status", "config", "systemd", "advice", "confine")));

  @Test
  void everyRoomOfTheProxyUsesOnlyWhatTheTableSays() {
    ROOMS.forEach((room, others) -> {
      List<String> may = new ArrayList<>();
      may.add("dev.peekpass.proxy." + room);
      others.forEach(other -> may.add("dev.peekpass.proxy" + (other.isEmpty() ? "" : "." + other)));
      classes()
          .that()
          .resideInAPackage("dev.peekpass.proxy." + room)
          .should()
          .onlyDependOnClassesThat(
              resideInAnyPackage(may.toArray(String[]::new))
                  .or(resideOutsideOfPackage("dev.peekpass.proxy..")))
          .check(ALL);
    });
  }

  @Test
  void everyRoomOfTheProxyIsInTheTable() {
    for (JavaClass one : ALL.that(inPackage("dev.peekpass.proxy"))) {
      String room = one.getPackageName().replaceFirst("dev\\.peekpass\\.proxy\\.?", "");
      assertThat(room.isEmpty() || ROOMS.containsKey(room)).as(one.getName()).isTrue();
    }
  }

  @Test
  void nothingButTheTopKnowsTheLoop() {
    noClasses()
        .that()
        .resideOutsideOfPackage("dev.peekpass.proxy")
        .should()
        .dependOnClassesThat()
        .haveFullyQualifiedName("dev.peekpass.proxy.Loop")
        .check(ALL);
  }

  @Test
  void listenersAndTheHandOffDoNotKnowEachOther() {
    noClasses()
        .that()
        .resideInAPackage("dev.peekpass.proxy.listen")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("dev.peekpass.proxy.handoff")
        .check(ALL);
    noClasses()
        .that()
        .resideInAPackage("dev.peekpass.proxy.handoff")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("dev.peekpass.proxy.listen")
        .check(ALL);
  }

  /** A longer class does more than one job, or says in its javadoc why it does not. */
  @Test
  void noClassIsLongerThan400LinesWithoutAReason() throws IOException {
    for (String module : new String[] {"proxy", "receiver"}) {
      Path root = Path.of("..", module, "src", "main", "java");
      assertThat(root).isDirectory();
      try (Stream<Path> files = Files.walk(root)) {
        for (Path file : files.filter(f -> f.toString().endsWith(".java")).toList()) {
          List<String> lines = Files.readAllLines(file);
          boolean reason = lines.stream().anyMatch(line -> line.contains("Longer than others"));
          assertThat(lines.size() <= 400 || reason).as("%s", file).isTrue();
        }
      }
    }
  }

  @Test
  void packagesHaveNoCycles() {
    SlicesRuleDefinition.slices()
        .matching("dev.peekpass.(**)")
        .should()
        .beFreeOfCycles()
        .check(ALL);
  }
}
