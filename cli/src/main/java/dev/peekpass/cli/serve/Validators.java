package dev.peekpass.cli.serve;

import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What tells one state of a file from another, RFC 9110 section 8.8, and what conditional requests
 * make of it, section 13.
 *
 * @param entityTag with its quotes
 * @param lastModified in whole seconds
 */
record Validators(String entityTag, Instant lastModified) {
  private static final Pattern TAG = Pattern.compile("(W/)?(\"[^\"]*\")");

  /** What the conditions of a request come to. */
  enum Verdict {
    /** Answer as if there were no conditions. */
    PROCEED,
    /** 304: the client has it already. */
    NOT_MODIFIED,
    /** 412: the client asked about another state. */
    FAILED
  }

  /**
   * The validators of a file.
   *
   * @param modified when its content last changed, as finely as the file system knows
   */
  static Validators of(Instant modified, long sizeBytes) {
    long micros = TimeUnit.SECONDS.toMicros(modified.getEpochSecond()) + modified.getNano() / 1000;
    String tag = "\"" + Long.toHexString(micros) + "-" + Long.toHexString(sizeBytes) + "\"";
    return new Validators(tag, modified.truncatedTo(ChronoUnit.SECONDS));
  }

  /** Evaluates a request's conditions in the order of RFC 9110 section 13.2.2. */
  Verdict judge(RequestHead head, Instant now) {
    Optional<String> match = head.field("if-match");
    if (match.isPresent()) {
      if (!matches(match.get(), false)) {
        return Verdict.FAILED;
      }
    } else if (date(head, "if-unmodified-since", now).filter(lastModified::isAfter).isPresent()) {
      return Verdict.FAILED;
    }
    Optional<String> noneMatch = head.field("if-none-match");
    if (noneMatch.isPresent()) {
      return matches(noneMatch.get(), true) ? Verdict.NOT_MODIFIED : Verdict.PROCEED;
    }
    return date(head, "if-modified-since", now)
            .filter(date -> !lastModified.isAfter(date))
            .isPresent()
        ? Verdict.NOT_MODIFIED
        : Verdict.PROCEED;
  }

  /** Whether a {@code Range} field counts, RFC 9110 section 13.1.5. */
  boolean allowsRange(RequestHead head, Instant now) {
    Optional<String> condition = head.field("if-range");
    if (condition.isEmpty()) {
      return true;
    }
    if (condition.get().equals(entityTag)) {
      return true;
    }
    // Section 8.8.2.2: a file may change twice in the second that a date stands for.
    return date(head, "if-range", now).filter(lastModified::equals).isPresent()
        && lastModified.isBefore(now.minus(Duration.ofSeconds(1)));
  }

  private boolean matches(String list, boolean weakly) {
    if (list.strip().equals("*")) {
      return true;
    }
    Matcher tags = TAG.matcher(list);
    while (tags.find()) {
      if (tags.group(2).equals(entityTag) && (weakly || tags.group(1) == null)) {
        return true;
      }
    }
    return false;
  }

  private static Optional<Instant> date(RequestHead head, String name, Instant now) {
    return head.field(name)
        .flatMap(text -> HttpDate.parse(text, LocalDate.ofInstant(now, ZoneOffset.UTC)));
  }
}
