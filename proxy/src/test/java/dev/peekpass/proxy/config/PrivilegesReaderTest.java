package dev.peekpass.proxy.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PrivilegesReaderTest {
  private static final String LISTENERS = "\nlisteners: [ { bind: \"[::]:443\" } ]\n";

  private static ConfigurationReader.Result read(String keys) {
    return ConfigurationReader.read("a.yaml", keys + LISTENERS);
  }

  private static Privileges valid(String keys) {
    return ((ConfigurationReader.Valid) read(keys)).configuration().privileges();
  }

  private static String mistake(String keys) {
    return ((ConfigurationReader.Mistakes) read(keys)).mistakes().getFirst().toString();
  }

  @Test
  void whatIsNotSaidIsConfinedAndStaysWhoItIs() {
    assertThat(valid(""))
        .isEqualTo(new Privileges(Optional.empty(), Optional.empty(), ConfinementMode.ENFORCE));
  }

  @Test
  void userAndGroupAreNamesOrNumbers() {
    assertThat(valid("user: peekpass\ngroup: www-data\nconfinement: audit"))
        .isEqualTo(
            new Privileges(
                Optional.of("peekpass"), Optional.of("www-data"), ConfinementMode.AUDIT));
    assertThat(valid("user: 993\nconfinement: off"))
        .isEqualTo(new Privileges(Optional.of("993"), Optional.empty(), ConfinementMode.OFF));
  }

  @ParameterizedTest
  @ValueSource(strings = {"\"a b\"", "-x", "\"\"", "\"a/b\"", "\"a:b\"", "ü"})
  void whatIsNoNameIsRefused(String name) {
    assertThat(mistake("user: " + name)).contains("a.yaml:1:7: ", "is not the name of a user");
  }

  @ParameterizedTest
  @ValueSource(strings = {"nobody", "65534"})
  void whomNoReceiverLetsInIsWarnedOf(String name) {
    assertThat(((ConfigurationReader.Valid) read("user: " + name)).warnings())
        .anySatisfy(warning ->
            assertThat(warning.toString())
                .contains("a.yaml:1:7: ", "receivers never let " + name + " in", "useradd"));
  }

  @Test
  void otherMistakesHaveTheirRemedy() {
    assertThat(mistake("group: web"))
        .isEqualTo(
            "a.yaml:1:1: \"group\" is of use beside user only, write user, too, or leave it out");
    assertThat(mistake("confinement: enforced"))
        .contains("a.yaml:1:14: \"enforced\" does not say how to confine", "enforce");
    assertThat(mistake("user: [a]")).contains("a.yaml:1:7: ");
  }
}
