package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The benchmark still runs from end to end. What it measures in so short a time says nothing. */
class BenchTest {
  private static final String OURS = "peekpass persistent";
  private static final String REFERENCE = "C-one";

  @TempDir private Path dir;

  @Test
  void aTinyRunHasARecordOfEveryStepAndNoErrors() throws IOException {
    for (String tool : List.of("cc", "make", "python3", "taskset")) {
      Tool.require(tool);
    }
    Path json = dir.resolve("run.json");
    Running.Done done =
        Running.run(
            dir,
            Running.ROOT.resolve("bench/run").toString(),
            "--tiny",
            "--no-peers",
            "--candidates",
            "persistent",
            "-o",
            json.toString());

    assertThat(done.status()).as(done.output() + done.errors()).isZero();
    assertThat(done.output()).contains("| " + OURS + " |", "### Goals", "### Several loops");
    assertThat(done.output()).doesNotContain("failed:");
    List<Map<String, String>> records = records(Files.readString(json));
    for (String step : List.of("new", "latency", "keep", "bulk", "calls", "calls-after")) {
      assertThat(records)
          .as("%s has both candidates, all that was asked for, and no errors", step)
          .filteredOn(record -> step.equals(record.get("step")))
          .allSatisfy(record -> assertThat(number(record, "requests")).isPositive())
          .allSatisfy(record -> assertThat(record.getOrDefault("errors", "0")).isEqualTo("0"))
          .extracting(record -> record.get("candidate"))
          .contains(OURS, REFERENCE);
    }
    assertThat(steps(records, OURS))
        .contains("started", "after", "idle", "pending")
        .containsAll(steps(records, REFERENCE));
    assertThat(records).extracting(record -> record.get("step")).contains("start", "threads");
    try (Stream<Path> files = Files.list(dir)) {
      assertThat(files.map(file -> file.getFileName().toString()))
          .contains("run-connections.svg", "run-latency.svg", "run-idle.svg", "run-start.svg");
    }
  }

  private static long number(Map<String, String> record, String field) {
    return Long.parseLong(record.getOrDefault(field, "0"));
  }

  private static Set<String> steps(List<Map<String, String>> records, String candidate) {
    Set<String> steps = new HashSet<>();
    for (Map<String, String> record : records) {
      if (candidate.equals(record.get("candidate"))) {
        steps.add(record.getOrDefault("step", ""));
      }
    }
    steps.remove("start");
    return steps;
  }

  /** The values of the objects in "records", without those of objects inside. */
  private static List<Map<String, String>> records(String json) throws IOException {
    List<Map<String, String>> records = new ArrayList<>();
    try (JsonParser parser = new JsonFactory().createParser(json)) {
      while (parser.nextToken() != JsonToken.START_ARRAY
          || !"records".equals(parser.currentName())) {
        assertThat(parser.currentToken()).as("there are records").isNotNull();
      }
      while (parser.nextToken() == JsonToken.START_OBJECT) {
        Map<String, String> record = new HashMap<>();
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
          String field = parser.currentName();
          if (parser.nextToken().isScalarValue()) {
            record.put(field, parser.getText());
          } else {
            parser.skipChildren();
          }
        }
        records.add(record);
      }
    }
    return records;
  }
}
