package dev.peekpass.proxy.config;

import dev.peekpass.proxy.route.Cidr;
import dev.peekpass.proxy.route.CidrSet;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/** Reads who is let in, and how much of one client is. */
final class AdmissionReader {
  /** The keys that say what one client may do. */
  static final List<String> LIMIT_KEYS =
      List.of("max-pending-per-client", "max-new-per-client", "client-prefix");

  static final Section.Keys PREFIX_KEYS =
      new Section.Keys("a client-prefix", List.of("ipv4", "ipv6"), List.of());

  private static final int MOST_PENDING = 1 << 20;
  private static final int MOST_NEW = 1_000_000;

  private final Report report;

  AdmissionReader(Report report) {
    this.report = report;
  }

  /**
   * Reads the limits.
   *
   * @param standard which addresses are one client where the section does not say so
   */
  ClientLimits limits(Section section, ClientPrefix standard) {
    Optional<Integer> maxPending =
        section
            .scalar("max-pending-per-client")
            .flatMap(at -> report.good(at, Quantity.count(at.text(), 1, MOST_PENDING)));
    Optional<Rate> maxNew =
        section
            .scalar("max-new-per-client")
            .flatMap(at -> report.good(at, Quantity.rate(at.text(), MOST_NEW)));
    ClientPrefix prefix = section.value("client-prefix").flatMap(this::prefix).orElse(standard);
    return new ClientLimits(
        maxPending.map(OptionalInt::of).orElseGet(OptionalInt::empty), maxNew, prefix);
  }

  private Optional<ClientPrefix> prefix(YamlNode node) {
    return Section.of(node, PREFIX_KEYS, report)
        .map(section ->
            new ClientPrefix(
                section.count("ipv4", ClientPrefix.STANDARD.ipv4Bits(), 1, 32),
                section.count("ipv6", ClientPrefix.STANDARD.ipv6Bits(), 1, 128)));
  }

  /** Reads {@code allow} and {@code deny}. */
  AccessList access(Section section) {
    return new AccessList(blocks(section, "allow"), blocks(section, "deny"));
  }

  private CidrSet blocks(Section section, String key) {
    List<Cidr> blocks = new ArrayList<>();
    for (YamlNode.Scalar block : section.scalars(key)) {
      report.good(block, Cidr.parse(block.text())).ifPresent(blocks::add);
    }
    return new CidrSet(blocks);
  }
}
