package dev.peekpass.proxy.config;

import dev.peekpass.proxy.route.Quotation;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** Reads {@code user}, {@code group} and {@code confinement}. */
final class PrivilegesReader {
  private static final List<String> MODES =
      Arrays.stream(ConfinementMode.values()).map(PrivilegesReader::label).toList();

  /** What useradd(8) takes, and more; and numbers. */
  private static final String NAME = "[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}[$]?";

  /** The kernel's overflow uid, unless it is set otherwise (/proc/sys/kernel/overflowuid). */
  private static final List<String> NOBODY = List.of("nobody", "65534");

  private final Report report;

  PrivilegesReader(Report report) {
    this.report = report;
  }

  Privileges read(Section section) {
    Optional<String> user = name(section, "user");
    if (user.isPresent() && NOBODY.contains(user.get())) {
      YamlNode.Scalar at = section.scalar("user").orElseThrow();
      report.warning(
          at.line(),
          at.column(),
          "receivers never let "
              + user.get()
              + " in: whoever has no number in their user namespace seems to be that user",
          "make a user of the proxy's own (useradd --system peekpass)");
    }
    Optional<String> group = name(section, "group");
    if (group.isPresent() && user.isEmpty() && !section.has("user")) {
      section
          .key("group")
          .ifPresent(key ->
              report.mistake(
                  key, "\"group\" is of use beside user only", "write user, too, or leave it out"));
    }
    ConfinementMode mode =
        section.scalar("confinement").flatMap(this::mode).orElse(ConfinementMode.ENFORCE);
    return new Privileges(user, group, mode);
  }

  private Optional<String> name(Section section, String key) {
    Optional<YamlNode.Scalar> scalar = section.scalar(key);
    if (scalar.isPresent() && !scalar.get().text().matches(NAME)) {
      report.mistake(
          scalar.get(),
          Quotation.of(scalar.get().text()) + " is not the name of a " + key,
          "write a name or a number");
      return Optional.empty();
    }
    return scalar.map(YamlNode.Scalar::text);
  }

  private Optional<ConfinementMode> mode(YamlNode.Scalar word) {
    for (ConfinementMode mode : ConfinementMode.values()) {
      if (label(mode).equals(word.text())) {
        return Optional.of(mode);
      }
    }
    report.mistake(
        word,
        Quotation.of(word.text()) + " does not say how to confine",
        Section.suggestion(word.text(), MODES));
    return Optional.empty();
  }

  private static String label(ConfinementMode mode) {
    return mode.name().toLowerCase(Locale.ROOT);
  }
}
