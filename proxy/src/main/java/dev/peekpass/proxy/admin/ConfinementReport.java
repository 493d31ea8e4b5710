package dev.peekpass.proxy.admin;

import dev.peekpass.proxy.advice.Reason;
import dev.peekpass.proxy.confine.Bounds;
import dev.peekpass.proxy.confine.Confinement;
import dev.peekpass.proxy.confine.ThreadFacts;
import java.io.IOException;
import java.util.List;
import java.util.Locale;

/** What a process is confined to, for a status: of its threads what the kernel says. */
final class ConfinementReport {
  private ConfinementReport() {}

  static void append(Json json, Confinement confinement) {
    Bounds bounds = confinement.bounds();
    json.name("confinement").open('{');
    json.name("mode").value(bounds.mode().name().toLowerCase(Locale.ROOT));
    try {
      ThreadFacts facts = confinement.threads();
      json.name("uid").value(facts.uid()).name("gid").value(facts.gid());
      json.name("groups").value(facts.groups());
      json.name("capabilities").value(facts.capabilities());
      json.name("bounding").value(facts.bounding());
      json.name("no-new-privileges").value(facts.noNewPrivileges());
      json.name("threads").value(facts.threads()).name("filtered").value(facts.filtered());
    } catch (IOException e) {
      json.name("unknown").value(Reason.of(e));
    }
    json.name("calls").value(confinement.calls());
    json.name("landlock").value(bounds.landlock());
    if (bounds.landlock() > 0) {
      json.texts("paths", bounds.paths());
    }
    if (bounds.ports().isPresent()) {
      List<String> ports = bounds.ports().get().stream().map(String::valueOf).toList();
      json.texts("ports", ports);
      json.name("connects").value(bounds.connects());
    }
    json.texts("lacks", confinement.lacks()).close('}');
  }
}
