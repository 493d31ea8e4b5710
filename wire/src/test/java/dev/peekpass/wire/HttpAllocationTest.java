package dev.peekpass.wire;

import static dev.peekpass.wire.Outcome.latin1;
import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** What the HTTP parsers allocate for a head that is complete at the first look: nothing. */
class HttpAllocationTest {
  private final ParserScratch scratch = new ParserScratch(1 << 16);

  @Test
  void http1HeadsAllocateNothing() {
    byte[] flight =
        CapturedFlights.all().stream()
            .filter(captured -> captured.file().equals("curl-http1.bin"))
            .findFirst()
            .orElseThrow()
            .bytes();

    assertThat(Allocation.ofParsing(new Http1Parser(scratch), flight)).isZero();
  }

  @Test
  void invalidForeignAndTooLargeHeadsAllocateNothing() {
    assertThat(Allocation.ofParsing(new Http1Parser(scratch), latin1("GET / HTTP/1.1\r\n\r\n")))
        .isZero();
    assertThat(Allocation.ofParsing(new Http1Parser(scratch), latin1("\u0016\u0003\u0001")))
        .isZero();
    assertThat(
            Allocation.ofParsing(
                new Http1Parser(new ParserScratch(8)), latin1("GET / HTTP/1.1\r\n\r\n")))
        .isZero();
  }

  @Test
  void http2StartsAllocateNothing() {
    byte[] whole =
        Frames.start()
            .frame(8, 0, 0, "01ff0001")
            .frame(1, 5, 1, "828684418cf1e3c2e5f23a6ba0ab90f4ff400161 0162 be")
            .done();
    byte[] joined =
        Frames.start()
            .frame(1, 1, 1, "828684418cf1e3c2")
            .frame(9, 4, 1, "e5f23a6ba0ab90f4ff")
            .done();

    assertThat(Allocation.ofParsing(new Http2Parser(scratch), whole)).isZero();
    assertThat(Allocation.ofParsing(new Http2Parser(scratch), joined)).isZero();
  }
}
