package dev.peekpass.wire;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HpackStaticTableTest {
  /** One entry of each run in RFC 7541 appendix A, its ends, and those with a value. */
  @ParameterizedTest
  @CsvSource({
    "1, :authority, ''",
    "2, :method, GET",
    "3, :method, POST",
    "4, :path, /",
    "5, :path, /index.html",
    "6, :scheme, http",
    "7, :scheme, https",
    "8, :status, 200",
    "14, :status, 500",
    "15, accept-charset, ''",
    "16, accept-encoding, 'gzip, deflate'",
    "17, accept-language, ''",
    "28, content-length, ''",
    "38, host, ''",
    "50, range, ''",
    "58, user-agent, ''",
    "61, www-authenticate, ''"
  })
  void entriesStandAtTheirIndices(int index, String name, String value) {
    assertThat(new String(HpackStaticTable.name(index), US_ASCII)).isEqualTo(name);
    assertThat(new String(HpackStaticTable.value(index), US_ASCII)).isEqualTo(value);
  }
}
