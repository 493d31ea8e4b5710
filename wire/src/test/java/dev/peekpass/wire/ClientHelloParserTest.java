package dev.peekpass.wire;

import static dev.peekpass.wire.HelloBuilder.join;
import static dev.peekpass.wire.HelloBuilder.record;
import static dev.peekpass.wire.HelloBuilder.records;
import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ClientHelloParserTest {
  private static final int LIMIT = 1 << 16;

  private final HeadParser parser = new ClientHelloParser(new ParserScratch(LIMIT));

  /** The JDK's own hellos and hand-made ones, all complete and good, in many record layouts. */
  static Stream<byte[]> goodHellos() throws Exception {
    byte[] full =
        new HelloBuilder().serverName("shop.example.com").alpn("h2", "http/1.1").message();
    HelloBuilder old = new HelloBuilder();
    old.extensions = null;
    byte[] padded =
        new HelloBuilder().serverName("a.example").extension(21, new byte[20_000]).message();
    return Stream.of(
        jdkHello("TLSv1.2", "shop.example.com", "h2", "http/1.1"),
        jdkHello("TLSv1.2", ""),
        jdkHello("TLSv1.3", "shop.example.com"),
        jdkHello("TLSv1.3", "", "imap"),
        old.record(),
        records(full, 1),
        records(full, 3),
        records(full, full.length - 1),
        records(padded, 1 << 14));
  }

  private static byte[] jdkHello(String version, String name, String... alpn) throws Exception {
    SSLEngine engine = SSLContext.getDefault().createSSLEngine();
    engine.setUseClientMode(true);
    SSLParameters parameters = engine.getSSLParameters();
    parameters.setProtocols(new String[] {version});
    parameters.setApplicationProtocols(alpn);
    if (!name.isEmpty()) {
      parameters.setServerNames(List.of(new SNIHostName(name)));
    }
    engine.setSSLParameters(parameters);
    ByteBuffer out = ByteBuffer.allocate(1 << 15);
    engine.wrap(ByteBuffer.allocate(0), out);
    return Arrays.copyOf(out.array(), out.position());
  }

  @Test
  void readsTheJdksHellos() throws Exception {
    byte[] named = jdkHello("TLSv1.3", "shop.example.com", "h2", "http/1.1");
    assertThat(HeadOutcome.whole(parser, named))
        .isEqualTo(
            "found TLS name=shop.example.com alpn=[h2, http/1.1] end=%d records=1 ech=false"
                .formatted(named.length));
    byte[] unnamed = jdkHello("TLSv1.2", "");
    assertThat(HeadOutcome.whole(parser, unnamed))
        .isEqualTo("absent TLS name= alpn=[] end=%d records=1 ech=false".formatted(unnamed.length));
  }

  @ParameterizedTest
  @MethodSource("goodHellos")
  void everyProperPrefixIsIncompleteAndNeverAsksForTooMuch(byte[] hello) {
    HeadParser resumed = new ClientHelloParser(new ParserScratch(LIMIT));
    for (int length = 0; length < hello.length; length++) {
      parser.reset();
      String fresh = HeadOutcome.of(parser.parse(HeadOutcome.exact(hello, length), length));
      assertThat(fresh).as("%d bytes", length).startsWith("incomplete ");
      int needed = Integer.parseInt(fresh.substring("incomplete ".length()));
      assertThat(needed).isBetween(1, hello.length - length);
      assertThat(HeadOutcome.of(resumed.parse(HeadOutcome.exact(hello, length), length)))
          .isEqualTo(fresh);
    }
  }

  @ParameterizedTest
  @MethodSource("goodHellos")
  void segmentationDoesNotMatter(byte[] hello) {
    String whole = HeadOutcome.whole(parser, hello);
    assertThat(whole).matches("(?s)(found|absent) .*");
    assertThat(HeadOutcome.segmented(parser, hello, 1)).isEqualTo(whole);
    assertThat(HeadOutcome.segmented(parser, hello, 1448)).isEqualTo(whole);
    Random random = new Random(3);
    for (int round = 0; round < 50; round++) {
      int[] segments = random.ints(8, 1, 1 + hello.length / 2).toArray();
      assertThat(HeadOutcome.segmented(parser, hello, segments)).isEqualTo(whole);
    }
  }

  @ParameterizedTest
  @MethodSource("goodHellos")
  void askingForNeededBytesReachesTheEnd(byte[] hello) {
    int length = 0;
    int calls = 0;
    while (length < hello.length) {
      Parsed<Peeked> parsed = parser.parse(HeadOutcome.exact(hello, length), length);
      assertThat(parsed).isInstanceOf(Parsed.Incomplete.class);
      length += ((Parsed.Incomplete<Peeked>) parsed).needed();
      calls++;
    }
    assertThat(length).isEqualTo(hello.length);
    // A record is asked for in a handful of steps, not byte by byte.
    assertThat(calls).isLessThan(8 + 5 * recordsIn(hello));
  }

  private static int recordsIn(byte[] hello) {
    int count = 0;
    for (int at = 0; at < hello.length; count++) {
      at += 5 + ((hello[at + 3] & 0xff) << 8 | (hello[at + 4] & 0xff));
    }
    return count;
  }

  @ParameterizedTest
  @MethodSource("goodHellos")
  void whatFollowsTheHelloDoesNotMatter(byte[] hello) {
    String alone = HeadOutcome.whole(parser, hello);
    assertThat(HeadOutcome.whole(parser, join(hello, new byte[] {21, 9, 9, 9}))).isEqualTo(alone);
  }

  @ParameterizedTest
  @MethodSource("goodHellos")
  void mutationsNeverThrowAndDoNotDependOnSegmentation(byte[] hello) {
    Random random = new Random(hello.length);
    int rounds = hello.length > 2000 ? 20 : 2000;
    for (int round = 0; round < rounds; round++) {
      byte[] mutated = hello.clone();
      for (int change = random.nextInt(1, 4); change > 0; change--) {
        // Lengths and types stand early: that is where a change hurts most.
        int bound = random.nextBoolean() ? Math.min(60, mutated.length) : mutated.length;
        mutated[random.nextInt(bound)] = (byte) random.nextInt();
      }
      String whole = HeadOutcome.whole(parser, mutated);
      assertThat(HeadOutcome.segmented(parser, mutated, 1)).isEqualTo(whole);
      int[] segments = random.ints(5, 1, 1 + hello.length).toArray();
      assertThat(HeadOutcome.segmented(parser, mutated, segments)).isEqualTo(whole);
    }
  }

  @Test
  void noBytesAreIncomplete() {
    assertThat(HeadOutcome.whole(parser, new byte[0])).isEqualTo("incomplete 1");
  }

  @Test
  void theFirstByteSettlesWhatIsForeign() {
    for (int b = 0; b < 256; b++) {
      String expected = b == 22 ? "incomplete 1" : "foreign";
      assertThat(HeadOutcome.whole(parser, new byte[] {(byte) b})).isEqualTo(expected);
    }
    assertThat(HeadOutcome.whole(parser, new byte[] {22, 2})).isEqualTo("foreign");
    assertThat(HeadOutcome.whole(parser, new byte[] {22, 3})).isEqualTo("incomplete 2");
  }

  @Test
  void anotherHandshakeMessageIsInvalidAtItsFirstByte() {
    byte[] serverHello = {22, 3, 3, 0, 50, 2};
    assertThat(HeadOutcome.whole(parser, Arrays.copyOf(serverHello, 5))).isEqualTo("incomplete 1");
    assertThat(HeadOutcome.whole(parser, serverHello))
        .startsWith("invalid: first handshake message");
  }

  @Test
  void anEmptyHandshakeRecordIsInvalid() {
    assertThat(HeadOutcome.whole(parser, new byte[] {22, 3, 1, 0, 0}))
        .startsWith("invalid: handshake record of length 0");
    byte[] message = new HelloBuilder().message();
    byte[] first = record(22, Arrays.copyOf(message, 10));
    assertThat(HeadOutcome.whole(parser, join(first, record(22, new byte[0]))))
        .startsWith("invalid: handshake record of length 0");
  }

  @Test
  void aRecordHoldsAtMost16384Bytes() {
    assertThat(HeadOutcome.whole(parser, new byte[] {22, 3, 1, 0x40})).isEqualTo("incomplete 1");
    assertThat(HeadOutcome.whole(parser, new byte[] {22, 3, 1, 0x40, 0})).isEqualTo("incomplete 1");
    assertThat(HeadOutcome.whole(parser, new byte[] {22, 3, 1, 0x40, 1}))
        .startsWith("invalid: record longer than 2^14");
    assertThat(HeadOutcome.whole(parser, new byte[] {22, 3, 1, 0x41}))
        .startsWith("invalid: record longer than 2^14");
  }

  @Test
  void anotherRecordInsideTheHelloIsInvalid() {
    byte[] message = new HelloBuilder().message();
    byte[] first = record(22, Arrays.copyOf(message, 10));
    byte[] alert = record(21, new byte[] {2, 40});
    assertThat(HeadOutcome.whole(parser, join(first, alert)))
        .startsWith("invalid: another record type");
    assertThat(HeadOutcome.whole(parser, join(first, record(20, new byte[] {1}))))
        .startsWith("invalid: another record type");
    assertThat(HeadOutcome.whole(parser, join(first, new byte[] {22, 4})))
        .startsWith("invalid: record version");
  }

  @Test
  void theRecordThatCompletesTheHelloMustBeWhole() {
    byte[] message = new HelloBuilder().serverName("a.example").message();
    // A second message in the same record (RFC 8446 section 5.1).
    byte[] hello = record(22, join(message, HelloBuilder.message(20, new byte[12])));
    for (int length = 0; length < hello.length; length++) {
      assertThat(HeadOutcome.whole(parser, Arrays.copyOf(hello, length))).startsWith("incomplete");
    }
    assertThat(HeadOutcome.whole(parser, hello))
        .startsWith("found TLS name=a.example ")
        .contains("end=" + hello.length);
  }

  @Test
  void sixteenMebibytesAnnouncedAreTooLargeAtOnce() {
    byte[] announced = {22, 3, 1, 2, 0, 1, (byte) 0xff, (byte) 0xff, (byte) 0xff};
    assertThat(HeadOutcome.whole(parser, Arrays.copyOf(announced, 8))).isEqualTo("incomplete 1");
    assertThat(HeadOutcome.whole(parser, announced)).isEqualTo("too large " + LIMIT);
  }

  @Test
  void theLimitCountsRecordHeadersAndIsExact() {
    byte[] message =
        new HelloBuilder().serverName("a.example").extension(21, new byte[30_000]).message();
    byte[] hello = records(message, 1 << 14);
    HeadParser justEnough = new ClientHelloParser(new ParserScratch(hello.length));
    HeadParser oneLess = new ClientHelloParser(new ParserScratch(hello.length - 1));
    assertThat(HeadOutcome.segmented(justEnough, hello, 1)).startsWith("found");
    assertThat(HeadOutcome.whole(oneLess, hello)).isEqualTo("too large " + (hello.length - 1));
    // Settled by the message's header, the ninth byte.
    assertThat(HeadOutcome.whole(oneLess, Arrays.copyOf(hello, 8))).isEqualTo("incomplete 1");
    assertThat(HeadOutcome.whole(oneLess, Arrays.copyOf(hello, 9))).startsWith("too large");
  }

  @Test
  void recordsTooSmallForTheLimitAreTooLargeAsSoonAsTheyCannotFit() {
    byte[] message =
        new HelloBuilder().serverName("a.example").extension(21, new byte[12_000]).message();
    byte[] hello = records(message, 1);
    assertThat(hello.length).isGreaterThan(LIMIT);
    String whole = HeadOutcome.whole(parser, hello);
    assertThat(whole).isEqualTo("too large " + LIMIT);
    assertThat(HeadOutcome.segmented(parser, hello, 1)).isEqualTo(whole);
  }

  @Test
  void bytesBeyondTheLimitAreNotLookedAt() {
    byte[] hello = new HelloBuilder().serverName("a.example").record();
    HeadParser small = new ClientHelloParser(new ParserScratch(hello.length));
    assertThat(HeadOutcome.whole(small, join(hello, new byte[100]))).startsWith("found");
    for (int limit = 1; limit < hello.length; limit++) {
      HeadParser tooSmall = new ClientHelloParser(new ParserScratch(limit));
      String whole = HeadOutcome.whole(tooSmall, hello);
      assertThat(whole).isEqualTo("too large " + limit);
      assertThat(HeadOutcome.segmented(tooSmall, hello, 1)).isEqualTo(whole);
    }
  }

  @Test
  void leavesTheBufferAloneWhateverItsKindAndOrder() {
    byte[] hello = new HelloBuilder().serverName("a.example").record();
    ByteBuffer direct = ByteBuffer.allocateDirect(hello.length + 20).order(ByteOrder.LITTLE_ENDIAN);
    direct.put(0, hello).position(11).limit(hello.length);
    assertThat(HeadOutcome.of(parser.parse(direct.asReadOnlyBuffer(), hello.length)))
        .startsWith("found TLS name=a.example ");
    parser.reset();
    assertThat(HeadOutcome.of(parser.parse(direct, hello.length))).startsWith("found");
    assertThat(direct.position()).isEqualTo(11);
    assertThat(direct.limit()).isEqualTo(hello.length);
  }

  @Test
  void parsersThatShareScratchDoNotDisturbEachOther() {
    ParserScratch shared = new ParserScratch(LIMIT);
    HeadParser one = new ClientHelloParser(shared);
    HeadParser other = new ClientHelloParser(shared);
    byte[] a = records(new HelloBuilder().serverName("a.example").message(), 40);
    byte[] b = records(new HelloBuilder().serverName("b.example").message(), 7);
    for (int length = 0; length < a.length - 1; length++) {
      one.parse(HeadOutcome.exact(a, length), length);
      other.parse(HeadOutcome.exact(b, length), length);
    }
    assertThat(HeadOutcome.of(one.parse(HeadOutcome.exact(a, a.length), a.length)))
        .contains("name=a.example ");
    assertThat(HeadOutcome.of(other.parse(HeadOutcome.exact(b, b.length), b.length)))
        .contains("name=b.example ");
  }

  @Test
  void aWholeHelloAllocatesNothing() throws Exception {
    byte[] bytes = jdkHello("TLSv1.3", "shop.example.com", "h2", "http/1.1");
    byte[] cut = records(Arrays.copyOfRange(bytes, 5, bytes.length), 100);
    ByteBuffer direct = ByteBuffer.allocateDirect(bytes.length).put(0, bytes);
    ByteBuffer directCut = ByteBuffer.allocateDirect(cut.length).put(0, cut);
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long thread = Thread.currentThread().threadId();
    parseMany(direct, directCut, 20_000);
    long least = Long.MAX_VALUE;
    // The least of a few rounds: the JVM itself may allocate something once, parsing would always.
    for (int round = 0; round < 5; round++) {
      long before = threads.getThreadAllocatedBytes(thread);
      long between = threads.getThreadAllocatedBytes(thread);
      int found = parseMany(direct, directCut, 100_000);
      long after = threads.getThreadAllocatedBytes(thread);
      assertThat(found).isEqualTo(200_000);
      long measuring = between - before;
      least = Math.min(least, after - between - measuring);
    }
    assertThat(least).isZero();
  }

  private int parseMany(ByteBuffer one, ByteBuffer several, int times) {
    int found = 0;
    for (int i = 0; i < times; i++) {
      parser.reset();
      found += parser.parse(one, one.limit()) instanceof Parsed.Found ? 1 : 0;
      parser.reset();
      found += parser.parse(several, several.limit()) instanceof Parsed.Found ? 1 : 0;
    }
    return found;
  }
}
