package dev.peekpass.wire;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HpackDecoderTest {
  private static final int LIST_LIMIT_BYTES = 4096;

  private final HpackDecoder decoder = new HpackDecoder(LIST_LIMIT_BYTES);

  @Test
  void literalWithIndexingOfRfc7541AppendixC21() {
    assertThat(decode("400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572"))
        .containsExactly("custom-key: custom-header");
    assertTable(55, "custom-key: custom-header");
  }

  @Test
  void literalWithoutIndexingOfRfc7541AppendixC22() {
    assertThat(decode("040c 2f73 616d 706c 652f 7061 7468")).containsExactly(":path: /sample/path");
    assertTable(0);
  }

  @Test
  void literalNeverIndexedOfRfc7541AppendixC23() {
    assertThat(decode("1008 7061 7373 776f 7264 0673 6563 7265 74"))
        .containsExactly("password: secret");
    assertTable(0);
  }

  @Test
  void indexedFieldOfRfc7541AppendixC24() {
    assertThat(decode("82")).containsExactly(":method: GET");
    assertTable(0);
  }

  @Test
  void requestsOfRfc7541AppendixC3() {
    assertRequests(
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65");
  }

  @Test
  void huffmanRequestsOfRfc7541AppendixC4() {
    assertRequests(
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf");
  }

  private void assertRequests(String first, String second, String third) {
    assertThat(decode(first))
        .containsExactly(
            ":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com");
    assertTable(57, ":authority: www.example.com");
    assertThat(decode(second))
        .containsExactly(
            ":method: GET",
            ":scheme: http",
            ":path: /",
            ":authority: www.example.com",
            "cache-control: no-cache");
    assertTable(110, "cache-control: no-cache", ":authority: www.example.com");
    assertThat(decode(third))
        .containsExactly(
            ":method: GET",
            ":scheme: https",
            ":path: /index.html",
            ":authority: www.example.com",
            "custom-key: custom-value");
    assertTable(
        164, "custom-key: custom-value", "cache-control: no-cache", ":authority: www.example.com");
  }

  @Test
  void responsesWithEvictionOfRfc7541AppendixC5() {
    assertResponses(
        "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133"
            + "2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861"
            + "6d70 6c65 2e63 6f6d",
        "4803 3330 37c1 c0bf",
        "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d"
            + "54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f"
            + "5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572"
            + "7369 6f6e 3d31");
  }

  @Test
  void huffmanResponsesWithEvictionOfRfc7541AppendixC6() {
    assertResponses(
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6"
            + "2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
        "4883 640e ffc1 c0bf",
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab"
            + "77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5"
            + "291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07");
  }

  private void assertResponses(String first, String second, String third) {
    String date = "date: Mon, 21 Oct 2013 20:13:21 GMT";
    String later = "date: Mon, 21 Oct 2013 20:13:22 GMT";
    String location = "location: https://www.example.com";
    String cookie = "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
    decoder.table().resize(256);

    assertThat(decode(first))
        .containsExactly(":status: 302", "cache-control: private", date, location);
    assertTable(222, location, date, "cache-control: private", ":status: 302");
    assertThat(decode(second))
        .containsExactly(":status: 307", "cache-control: private", date, location);
    assertTable(222, ":status: 307", location, date, "cache-control: private");
    assertThat(decode(third))
        .containsExactly(
            ":status: 200",
            "cache-control: private",
            later,
            location,
            "content-encoding: gzip",
            cookie);
    assertTable(215, cookie, "content-encoding: gzip", later);
  }

  @Test
  void integersOfRfc7541AppendixC1() {
    // As table sizes, which have the 5-bit prefix of the examples: 10, then 1337.
    assertThat(decode("2a 40 0161 00")).containsExactly("a: ");
    assertTable(0);
    assertThat(decode("3f9a0a")).isEmpty();
    String fits = "40 01 61 7f 99 09" + "78".repeat(1337 - 33);
    assertThat(decode(fits)).hasSize(1);
    assertThat(decoder.table().sizeBytes()).isEqualTo(1337);
    assertThat(decode("40 01 61 7f 9a 09" + "78".repeat(1338 - 33))).hasSize(1);
    assertThat(decoder.table().sizeBytes()).isZero();
  }

  @Test
  void aNameMayBeTakenFromTheDynamicTable() {
    assertThat(decode("4001 6101 31 7e01 32 0f2f 0133")).containsExactly("a: 1", "a: 2", "a: 3");
    assertTable(68, "a: 2", "a: 1");
  }

  @Test
  void aNameMayBeTakenFromTheEntryThatItsFieldEvicts() {
    decoder.table().resize(40);

    assertThat(decode("4001 6101 31 7e03 323232")).containsExactly("a: 1", "a: 222");
    assertTable(36, "a: 222");
  }

  @Test
  void sizeUpdatesStandAtTheBlocksBegin() {
    assertThat(decode("4001 6101 31")).containsExactly("a: 1");
    assertThat(decode("20 3fe11f 82")).containsExactly(":method: GET");
    assertTable(0);
    assertThat(decode("82 20")).containsExactly(":method: GET", "CORRUPT");
  }

  @Test
  void theTableMayNotBeLargerThanItsInitialSize() {
    assertThat(decode("3fe11f")).as("4096").isEmpty();
    assertThat(decode("3fe21f")).as("4097").containsExactly("CORRUPT");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        // Index 0, and indices that name no entry.
        "80",
        "be",
        "ff00",
        "7e 0131",
        "0f2f 0131",
        "1f2f 0131",
        // Integers without an end, cut off, or too long.
        "ff",
        "ffff",
        "ff80808080808080808000",
        "ffffffffffff0f",
        "3f",
        "3fffffffffff7f",
        "7f",
        "0f",
        "1f",
        "40 7f",
        "40 7fffffffff07",
        // Strings longer than what is left.
        "40",
        "40 01",
        "40 0161",
        "40 0161 01",
        "40 0261",
        "41",
        "41 01",
        "00 0161 7f00",
        "00 0161 8131",
        "00 0161 82f1",
        // Huffman strings that are none.
        "00 8118 00",
        "00 81ff 00",
        "00 84ffffffff 00",
        "00 8200fe 00"
      })
  void decodingErrorsAreTold(String hex) {
    assertThat(decode(hex)).endsWith("CORRUPT");
  }

  @Test
  void theListIsLimited() {
    // 16 bytes of field and 32 of overhead make 48; the limit takes 85 of them and no 86th.
    String literal = "40 0161 0f" + "78".repeat(15);
    assertThat(decode(literal + "be".repeat(84))).hasSize(85).doesNotContain("TOO_LARGE");
    assertThat(decode("be".repeat(86))).hasSize(86).endsWith("TOO_LARGE");
  }

  @Test
  void aLiteralOverTheLimitIsTooLargeHoweverItIsWritten() {
    int over = LIST_LIMIT_BYTES - 32;
    assertThat(decode("00 0161 7fe11e" + "78".repeat(over))).containsExactly("TOO_LARGE");
    assertThat(decode("00 7fe11e" + "78".repeat(over) + "00"))
        .containsExactly("x".repeat(over) + ": ");
    // '0' is five bits long: 8 of them in 5 bytes.
    int bytes = 5 * (over / 8);
    assertThat(bytes).isEqualTo(2540);
    assertThat(decode("00 0161 ffed12" + "00".repeat(bytes))).containsExactly("TOO_LARGE");
  }

  @Test
  void resetEmptiesTheTable() {
    assertThat(decode("4001 6101 31")).containsExactly("a: 1");

    decoder.reset();

    assertThat(decode("be")).containsExactly("CORRUPT");
  }

  private List<String> decode(String hex) {
    byte[] block = HexFormat.of().parseHex(hex.replace(" ", ""));
    decoder.begin(ByteBuffer.wrap(block), 0, block.length);
    List<String> fields = new ArrayList<>();
    HpackDecoder.Step step = decoder.next();
    while (step == HpackDecoder.Step.FIELD) {
      fields.add(
          text(decoder.nameFrom(), decoder.valueFrom())
              + ": "
              + text(decoder.valueFrom(), decoder.valueEnd()));
      step = decoder.next();
    }
    if (step != HpackDecoder.Step.END) {
      fields.add(step.name());
    }
    return fields;
  }

  private String text(int from, int to) {
    byte[] copy = new byte[to - from];
    decoder.text().get(from, copy);
    return new String(copy, StandardCharsets.ISO_8859_1);
  }

  private void assertTable(int sizeBytes, String... entries) {
    List<String> actual = new ArrayList<>();
    HpackTable table = decoder.table();
    for (int index = 62; table.has(index); index++) {
      byte[] name = new byte[table.nameLength(index)];
      byte[] value = new byte[table.valueLength(index)];
      table.copyName(index, name, 0);
      table.copyValue(index, value, 0);
      actual.add(
          new String(name, StandardCharsets.ISO_8859_1)
              + ": "
              + new String(value, StandardCharsets.ISO_8859_1));
    }
    assertThat(actual).containsExactly(entries);
    assertThat(table.sizeBytes()).isEqualTo(sizeBytes);
  }
}
