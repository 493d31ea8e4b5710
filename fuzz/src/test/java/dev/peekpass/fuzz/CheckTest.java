package dev.peekpass.fuzz;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peekpass.wire.FirstFlightParser;
import dev.peekpass.wire.HeadParser;
import dev.peekpass.wire.Http1Parser;
import dev.peekpass.wire.Parsed;
import dev.peekpass.wire.ParserScratch;
import dev.peekpass.wire.Peeked;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

/** The checks find parsers that break their promises: else they would prove nothing. */
class CheckTest {
  private static final String HEAD = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";

  /** A parser with a fault, over one that is right. */
  private abstract static class Faulty implements HeadParser {
    final Http1Parser right;

    Faulty(ParserScratch scratch) {
      right = new Http1Parser(scratch);
    }

    @Override
    public void reset() {
      right.reset();
    }
  }

  /** Heads that differ in a number, so that each is cut elsewhere. */
  private static void check(Function<ParserScratch, HeadParser> kind) {
    HeadCheck check = new HeadCheck(kind, Earlier.HTTP1);
    for (int i = 0; i < 500; i++) {
      check.check((HEAD + i).getBytes(StandardCharsets.US_ASCII));
    }
  }

  @Test
  void aRightParserPasses() {
    assertThatCode(() -> check(Http1Parser::new)).doesNotThrowAnyException();
  }

  @Test
  void aParserThatForgetsItsPlaceIsFound() {
    assertThatThrownBy(() ->
            check(scratch ->
                new Faulty(scratch) {
                  private int calls;

                  @Override
                  public void reset() {
                    super.reset();
                    calls = 0;
                  }

                  @Override
                  public Parsed<Peeked> parse(ByteBuffer bytes, int length) {
                    calls++;
                    return calls == 1 ? right.parse(bytes, length) : new Parsed.Foreign<>();
                  }
                }))
        .isInstanceOf(Promise.BrokenException.class)
        .hasMessageContaining("a parser that went on says otherwise");
  }

  @Test
  void aParserThatDecidesTooEarlyIsFound() {
    assertThatThrownBy(() ->
            check(scratch ->
                new Faulty(scratch) {
                  @Override
                  public Parsed<Peeked> parse(ByteBuffer bytes, int length) {
                    return length > 20 && length < HEAD.length()
                        ? new Parsed.Foreign<>()
                        : right.parse(bytes, length);
                  }
                }))
        .isInstanceOf(Promise.BrokenException.class)
        .hasMessageContaining("a proper prefix of a head is settled");
  }

  @Test
  void aParserThatAsksForTooMuchIsFound() {
    assertThatThrownBy(() ->
            check(scratch ->
                new Faulty(scratch) {
                  @Override
                  public Parsed<Peeked> parse(ByteBuffer bytes, int length) {
                    Parsed<Peeked> parsed = right.parse(bytes, length);
                    return parsed instanceof Parsed.Incomplete
                        ? new Parsed.Incomplete<>(HEAD.length())
                        : parsed;
                  }
                }))
        .isInstanceOf(Promise.BrokenException.class)
        .hasMessageContaining("needs more than settles the whole");
  }

  @Test
  void aParserThatKeepsWhatItReadBeforeItsResetIsFound() {
    assertThatThrownBy(() ->
            check(scratch ->
                new Faulty(scratch) {
                  private boolean tainted;

                  @Override
                  public Parsed<Peeked> parse(ByteBuffer bytes, int length) {
                    boolean was = tainted;
                    tainted |= length > 5 && bytes.get(4) == 'h';
                    return was ? new Parsed.Foreign<>() : right.parse(bytes, length);
                  }
                }))
        .isInstanceOf(Promise.BrokenException.class)
        .hasMessageContaining("what a parser read before it was reset");
  }

  @Test
  void aParserThatIsAnotherAfterAnyResetIsFound() {
    assertThatThrownBy(() ->
            check(scratch ->
                new Faulty(scratch) {
                  private boolean wasReset;

                  @Override
                  public void reset() {
                    super.reset();
                    wasReset = true;
                  }

                  @Override
                  public Parsed<Peeked> parse(ByteBuffer bytes, int length) {
                    return wasReset ? new Parsed.Foreign<>() : right.parse(bytes, length);
                  }
                }))
        .isInstanceOf(Promise.BrokenException.class)
        .hasMessageContaining("a parser that was reset says");
  }

  @Test
  void whatWasReadBeforeSaysAllThatItMay() {
    for (byte[] hello : Earlier.TLS) {
      Peeked peeked = head(new ParserScratch(4096), hello);
      assertThat(peeked.host().toString()).isEqualTo("b.example");
      assertThat(peeked.alpn().toList()).containsExactly("h2", "http/1.1");
      assertThat(peeked.encryptedClientHello()).isTrue();
    }
    assertThat(Earlier.TLS.stream().map(one -> head(new ParserScratch(4096), one).records()))
        .containsExactly(1, 5);
    Peeked first = head(new ParserScratch(4096), Earlier.HTTP1.getFirst());
    assertThat(first.hostField().toString()).isEqualTo("a.example");
    assertThat(first.port()).isEqualTo(8080);
    assertThat(head(new ParserScratch(4096), Earlier.HTTP2.getFirst()).port()).isEqualTo(8080);
  }

  private static Peeked head(ParserScratch scratch, byte[] flight) {
    Parsed<Peeked> parsed =
        new FirstFlightParser(scratch).parse(ByteBuffer.wrap(flight), flight.length);
    assertThat(parsed).isInstanceOf(Parsed.Found.class);
    return scratch.soFar();
  }

  @Test
  void stepsAreCounted() throws Exception {
    String driver = "dev.peekpass.fuzz.CountedParsers";
    CountedParsersUse use = new CountedParsersUse(driver);
    long one = use.steps("\1GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    long two = use.steps("\1GET / HTTP/1.1\r\nHost: a\r\nX: " + "y".repeat(1000) + "\r\n\r\n");
    assertThat(one).isBetween(50L, 5_000L);
    assertThat(two - one).as("a thousand bytes more").isBetween(1_000L, 100_000L);
  }

  private static final class CountedParsersUse {
    private final java.util.function.ToLongBiFunction<byte[], Integer> parse;

    @SuppressWarnings("unchecked") // CountedParsers is such a function.
    CountedParsersUse(String driver) throws ReflectiveOperationException {
      parse =
          (java.util.function.ToLongBiFunction<byte[], Integer>)
              new StepCounter(driver).loadClass(driver).getDeclaredConstructor().newInstance();
    }

    long steps(String input) {
      return parse.applyAsLong(input.getBytes(StandardCharsets.ISO_8859_1), 1);
    }
  }
}
