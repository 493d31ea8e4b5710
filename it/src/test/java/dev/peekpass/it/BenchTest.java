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
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The benchmark still runs from end to end. What it measures in so short a time says nothing. */
@Tag("processes")
class BenchTest {
  private static final String OURS = "peekpass persistent";
  private static final String REFERENCE = "C-one";

  @TempDir private Path dir;

  @Test
  void whatIsMeasuredSideBySideHasRecordsOfAllCandidates() throws IOException {
    List<Map<String, String>> records = run("new,latency,after,calls");

    for (String step : List.of("new", "latency", "keep", "bulk", "calls", "calls-after")) {
      assertThat(records)
          .as("%s has both candidates, all that was asked for, and no errors", step)
          .filteredOn(record -> step.equals(record.get("step")))
          .allSatisfy(record -> assertThat(number(record, "requests")).isPositive())
          .allSatisfy(record -> assertThat(number(record, "errors")).isZero())
          .extracting(record -> record.get("candidate"))
          .contains(OURS, REFERENCE);
    }
    assertThat(records)
        .filteredOn(
            record -> "calls".equals(record.get("step")) && OURS.equals(record.get("candidate")))
        .extracting(record -> record.get("at_once"))
        .contains("1", "64", "512");
    assertThat(plots()).contains("run-connections.svg", "run-latency.svg", "run-requests.svg");
  }

  @Test
  void whatIsMeasuredAloneHasRecordsOfAllCandidates() throws IOException {
    List<Map<String, String>> records = run("memory,first,start,threads");

    for (String step : List.of("started", "after", "idle", "pending")) {
      assertThat(records)
          .as("%s has both candidates", step)
          .filteredOn(record -> step.equals(record.get("step")))
          .extracting(record -> record.get("candidate"))
          .contains(OURS, REFERENCE);
    }
    assertThat(records)
        .filteredOn(record -> record.containsKey("connections"))
        .allSatisfy(record -> assertThat(number(record, "connections")).isPositive())
        .allSatisfy(record -> assertThat(number(record, "errors")).isZero());
    assertThat(records)
        .filteredOn(record -> "start".equals(record.get("step")))
        .extracting(record -> record.get("candidate"))
        .contains("./peekpass run", REFERENCE);
    assertThat(records)
        .filteredOn(record -> "threads".equals(record.get("step")))
        .extracting(record -> record.get("threads"))
        .containsExactlyInAnyOrder("1", "2");
    assertThat(records)
        .filteredOn(record -> "first".equals(record.get("step")))
        .filteredOn(record -> OURS.equals(record.get("candidate")))
        .extracting(record -> record.get("up_to"))
        .containsExactly("20", "50");
    assertThat(plots()).contains("run-idle.svg", "run-start.svg");
  }

  private List<Map<String, String>> run(String steps) throws IOException {
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
            "persistent,acknowledged",
            "--only",
            steps,
            "-o",
            json.toString());
    assertThat(done.status()).as(done.output() + done.errors()).isZero();
    assertThat(done.output()).contains("### Goals").doesNotContain("failed:");
    return records(Files.readString(json));
  }

  private List<String> plots() throws IOException {
    try (Stream<Path> files = Files.list(dir)) {
      return files.map(file -> file.getFileName().toString()).toList();
    }
  }

  private static long number(Map<String, String> record, String field) {
    return Long.parseLong(record.getOrDefault(field, "0"));
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
