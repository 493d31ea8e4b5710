package dev.peekpass.wire;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The HTTP parsers on the first flights of real clients. */
class CapturedFlightsTest {
  static List<CapturedFlights.Flight> flights() {
    return CapturedFlights.all();
  }

  @ParameterizedTest
  @MethodSource("flights")
  void areUnderstood(CapturedFlights.Flight flight) {
    HeadParser parser = CapturedFlights.parser(flight.protocol(), new ParserScratch(1 << 16));

    assertThat(Outcome.whole(parser, flight.bytes())).isEqualTo(flight.outcome());
    assertThat(Outcome.byteByByte(parser, flight.bytes())).isEqualTo(flight.outcome());
  }

  @ParameterizedTest
  @MethodSource("flights")
  void everyProperPrefixOfTheHeadIsIncomplete(CapturedFlights.Flight flight) {
    HeadParser parser = CapturedFlights.parser(flight.protocol(), new ParserScratch(1 << 16));
    for (int length = 0; length < flight.headEnd(); length++) {
      parser.reset();
      Parsed<Peeked> parsed = parser.parse(Outcome.exactly(flight.bytes(), length), length);
      assertThat(needed(parsed))
          .as("needed at %d bytes, 0 when not incomplete", length)
          .isBetween(1, flight.headEnd() - length);
    }
  }

  private static int needed(Parsed<Peeked> parsed) {
    return parsed instanceof Parsed.Incomplete<Peeked>(int needed) ? needed : 0;
  }
}
