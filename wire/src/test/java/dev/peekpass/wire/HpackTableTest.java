package dev.peekpass.wire;

import static dev.peekpass.wire.Outcome.latin1;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Random;
import org.junit.jupiter.api.Test;

class HpackTableTest {
  private static final int FIRST_DYNAMIC = 62;

  private final HpackTable table = new HpackTable();

  @Test
  void anEmptyTableHasTheStaticEntriesOnly() {
    assertThat(table.has(-1)).isFalse();
    assertThat(table.has(0)).isFalse();
    assertThat(table.has(1)).isTrue();
    assertThat(table.has(61)).isTrue();
    assertThat(table.has(62)).isFalse();
    assertThat(entry(6)).isEqualTo(":scheme=http");
  }

  @Test
  void theNewestEntryComesFirst() {
    add("a", "1");
    add("b", "2");

    assertThat(entry(FIRST_DYNAMIC)).isEqualTo("b=2");
    assertThat(entry(FIRST_DYNAMIC + 1)).isEqualTo("a=1");
    assertThat(table.has(FIRST_DYNAMIC + 2)).isFalse();
    assertThat(table.sizeBytes()).isEqualTo(2 * 34);
  }

  @Test
  void theOldestEntriesMakeRoom() {
    table.resize(70);
    add("a", "1");
    add("b", "2");
    add("c", "345");

    assertThat(table.dynamicEntries()).isEqualTo(2);
    assertThat(entry(FIRST_DYNAMIC + 1)).isEqualTo("b=2");
  }

  @Test
  void anEntryLargerThanTheTableEmptiesIt() {
    add("a", "1");
    add("b", "x".repeat(HpackTable.MAX_BYTES - 32));

    assertThat(table.dynamicEntries()).isZero();
    assertThat(table.sizeBytes()).isZero();
  }

  @Test
  void anEntryAsLargeAsTheTableStaysAlone() {
    add("a", "1");
    add("b", "x".repeat(HpackTable.MAX_BYTES - 33));

    assertThat(table.dynamicEntries()).isEqualTo(1);
    assertThat(table.sizeBytes()).isEqualTo(HpackTable.MAX_BYTES);
  }

  @Test
  void resizingEvictsAndToZeroEmpties() {
    add("a", "1");
    add("b", "2");

    table.resize(34);
    assertThat(table.dynamicEntries()).isEqualTo(1);
    assertThat(entry(FIRST_DYNAMIC)).isEqualTo("b=2");

    table.resize(0);
    assertThat(table.dynamicEntries()).isZero();
    add("c", "");
    assertThat(table.dynamicEntries()).isZero();
  }

  @Test
  void clearMakesItAsNew() {
    add("a", "1");
    table.resize(0);

    table.clear();

    assertThat(table.dynamicEntries()).isZero();
    add("b", "2");
    assertThat(entry(FIRST_DYNAMIC)).isEqualTo("b=2");
  }

  @Test
  void holdsAsManyEmptyEntriesAsTheOverheadAllows() {
    for (int i = 0; i < 200; i++) {
      add("", "");
    }

    assertThat(table.dynamicEntries()).isEqualTo(128);
    assertThat(entry(FIRST_DYNAMIC + 127)).isEqualTo("=");
  }

  /** The ring wraps at every possible place; a plain queue says what must be in it. */
  @Test
  void agreesWithAPlainQueueWhateverIsAdded() {
    Random random = new Random(1);
    Deque<String> expected = new ArrayDeque<>();
    int size = 0;
    int max = HpackTable.MAX_BYTES;
    for (int round = 0; round < 3000; round++) {
      if (random.nextInt(50) == 0) {
        max = random.nextInt(HpackTable.MAX_BYTES + 1);
        table.resize(max);
      } else {
        String name = Integer.toString(round).repeat(1 + random.nextInt(8));
        String value = Integer.toString(-round).repeat(random.nextInt(200));
        add(name, value);
        expected.addFirst(name + "=" + value);
        size += name.length() + value.length() + 32;
      }
      while (size > max) {
        size -= expected.removeLast().length() - 1 + 32;
      }
      assertThat(table.sizeBytes()).isEqualTo(size);
      assertThat(table.dynamicEntries()).isEqualTo(expected.size());
      int index = FIRST_DYNAMIC;
      for (String entry : expected) {
        assertThat(entry(index++)).isEqualTo(entry);
      }
    }
  }

  private void add(String name, String value) {
    byte[] text = latin1("?" + name + value);
    table.add(text, 1, name.length(), 1 + name.length(), value.length());
  }

  private String entry(int index) {
    byte[] text = new byte[2 * HpackTable.MAX_BYTES];
    int nameLength = table.nameLength(index);
    int valueLength = table.valueLength(index);
    table.copyName(index, text, 0);
    text[nameLength] = '=';
    table.copyValue(index, text, nameLength + 1);
    return new String(text, 0, nameLength + 1 + valueLength, StandardCharsets.ISO_8859_1);
  }
}
