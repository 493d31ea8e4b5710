package dev.peekpass.fuzz;

import dev.peekpass.wire.AlpnList;
import dev.peekpass.wire.HeadParser;
import dev.peekpass.wire.HostName;
import dev.peekpass.wire.Parsed;
import dev.peekpass.wire.ParserScratch;
import dev.peekpass.wire.Peeked;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.Function;

/**
 * What a parser of first bytes promises, whatever the bytes:
 *
 * <ul>
 *   <li>it throws nothing, and says nothing impossible;
 *   <li>cut anywhere, the bytes give the verdict that they give as a whole, and a parser that went
 *       on says what a fresh one says;
 *   <li>every proper prefix of a head is incomplete, and what it is said to need does not reach
 *       beyond the byte that settles the verdict;
 *   <li>what follows a head does not matter;
 *   <li>a parser that was used and reset says what a new one says.
 * </ul>
 *
 * <p>A hash of the input chooses the cut. That the work is linear, {@link LinearWorkTarget} shows.
 */
final class HeadCheck {
  private static final int LIMIT_BYTES = 16 * 1024;
  private static final int SMALL_LIMIT_BYTES = 96;

  private static final byte[] NO_NAME = new byte[256];

  private final Function<ParserScratch, HeadParser> kind;
  private final List<byte[]> before;
  private final HeadParser usual;
  private final ParserScratch usualScratch = new ParserScratch(LIMIT_BYTES);
  private final HeadParser small;
  private final ParserScratch smallScratch = new ParserScratch(SMALL_LIMIT_BYTES);
  private final Draw draw = new Draw();
  private final Verdict whole = new Verdict();
  private final Verdict part = new Verdict();
  private final Verdict anew = new Verdict();

  private HeadParser parser;
  private ParserScratch scratch;
  private int limitBytes;

  /**
   * Checks a kind of parser.
   *
   * @param kind makes one
   * @param before what it may have read before it is reset, beside the input itself: heads that say
   *     all that a head may say
   */
  HeadCheck(Function<ParserScratch, HeadParser> kind, List<byte[]> before) {
    this.kind = kind;
    this.before = before;
    usual = kind.apply(usualScratch);
    small = kind.apply(smallScratch);
    parser = usual;
    scratch = usualScratch;
  }

  /** Throws when a promise does not hold for these bytes. */
  void check(byte[] input) {
    draw.from(input);
    boolean isSmall = draw.oneIn(8);
    parser = isSmall ? small : usual;
    scratch = isSmall ? smallScratch : usualScratch;
    limitBytes = scratch.limitBytes();

    ByteBuffer bytes = ByteBuffer.wrap(input);
    parser.reset();
    say(bytes, input.length, whole);
    if (whole.isHead() && draw.oneIn(16)) {
      names(scratch.soFar());
    }
    cut(bytes, input.length, chooseCut(input.length));
    if (whole.isHead() && draw.oneIn(2)) {
      parser.reset();
      say(bytes.limit(whole.headEnd()), whole.headEnd(), part);
      expectWhole("what follows a head changes its verdict");
      bytes.limit(input.length);
    }
    if (draw.oneIn(64)) {
      inSteps(bytes, input.length, 1 + draw.below(draw.oneIn(2) ? 1 : 7));
    }
    if (draw.oneIn(8)) {
      asNew(bytes, input);
    }
  }

  /**
   * Uses the parser for another connection, resets it, and asks a new one, of new memory, too. The
   * other connection follows from the input, so that a finding is one whatever was tried before.
   */
  private void asNew(ByteBuffer bytes, byte[] input) {
    int chosen = draw.below(before.size() + 1);
    byte[] other = chosen < before.size() ? before.get(chosen) : input;
    int all = draw.oneIn(2) ? other.length : draw.below(other.length + 1);
    int first = draw.oneIn(2) ? all : draw.below(all + 1);
    parser.reset();
    ByteBuffer earlier = ByteBuffer.wrap(other);
    if (parser.parse(earlier.limit(first), first) instanceof Parsed.Incomplete && all > first) {
      var _ = parser.parse(earlier.limit(all), all);
    }
    parser.reset();
    say(bytes, input.length, part);
    expectWhole("what a parser read before it was reset changes what it says");

    ParserScratch memory = new ParserScratch(limitBytes);
    Parsed<Peeked> parsed = kind.apply(memory).parse(bytes, input.length);
    anew.take(parsed, memory);
    if (!part.says(anew) || part.needed() != anew.needed()) {
      throw Promise.broken("a parser that was reset says " + part + ", a new one " + anew);
    }
  }

  /** What is shown of the names in other ways is the same. */
  private static void names(Peeked peeked) {
    AlpnList alpn = peeked.alpn();
    List<String> list = alpn.toList();
    Promise.keep(alpn.isEmpty() == list.isEmpty(), "an empty list that holds names");
    for (String name : list) {
      Promise.keep(
          alpn.contains(name.getBytes(StandardCharsets.ISO_8859_1)), "a name that is not offered");
    }
    Promise.keep(!alpn.contains(NO_NAME), "a name that is too long to be offered");
    Promise.keep(AlpnList.of(list).toList().equals(list), "a list that is not itself");
    HostName host = peeked.host();
    String text = host.toString();
    for (int i = 0; i < host.length(); i++) {
      Promise.keep((host.at(i) & 0xff) == text.charAt(i), "a byte that is not in the name");
    }
    if (host.length() > 0) {
      byte last = host.at(host.length() - 1);
      Promise.keep(
          (byte) host.wordBefore(host.length()) == last
              && host.endEquals(host.length() - 1, new byte[] {last}, 0, 1),
          "an end that is not the name's");
    }
  }

  private int chooseCut(int length) {
    int end = whole.headEnd();
    if (end > 0 && draw.oneIn(4)) {
      return end - 1;
    }
    return draw.below((end > 0 && draw.oneIn(2) ? end : length) + 1);
  }

  /** Parses a prefix, then all. */
  private void cut(ByteBuffer bytes, int length, int at) {
    parser.reset();
    say(bytes.limit(at), at, part);
    bytes.limit(length);
    if (part.isSettled()) {
      if (whole.isHead() && at < whole.headEnd()) {
        throw differ("a proper prefix of a head is settled");
      }
      expectWhole("a prefix is settled otherwise than the whole");
      return;
    }
    int needed = part.needed();
    int enough = whole.isHead() ? whole.headEnd() : length;
    Promise.keep(
        !whole.isSettled() || at + needed <= enough, "a prefix needs more than settles the whole");
    if (needed > 1 && at + needed - 1 <= length && draw.oneIn(4)) {
      say(bytes.limit(at + needed - 1), at + needed - 1, part);
      bytes.limit(length);
      Promise.keep(!part.isSettled(), "fewer bytes than were needed settle the verdict");
    }
    say(bytes, length, part);
    expectWhole("a parser that went on says otherwise than a fresh one");
  }

  private void inSteps(ByteBuffer bytes, int length, int step) {
    parser.reset();
    int seen = 0;
    while (true) {
      say(bytes.limit(seen), seen, part);
      if (part.isSettled() || seen == length) {
        break;
      }
      seen = Math.min(length, seen + step);
    }
    bytes.limit(length);
    expectWhole("bytes in small pieces say otherwise than the whole");
    Promise.keep(!whole.isHead() || seen >= whole.headEnd(), "a proper prefix of a head is one");
  }

  private void say(ByteBuffer bytes, int length, Verdict into) {
    Parsed<Peeked> parsed = parser.parse(bytes, length);
    into.take(parsed, scratch);
    if (!into.isPossible(length, limitBytes)) {
      throw Promise.broken("impossible of " + length + " bytes: " + into);
    }
  }

  private void expectWhole(String promise) {
    if (!part.says(whole)) {
      throw differ(promise);
    }
  }

  private Promise.BrokenException differ(String what) {
    return Promise.broken(what + ": " + part + ", whole: " + whole);
  }
}
