package dev.peekpass.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;

/** What people are told of a status. */
final class StatusCommandTest {
  @Test
  void oneIsOneAndNoneIsNone() throws IOException {
    String status =
        """
        {"version":"1","pid":7,"threads":1,"started":"s","clients":1,"configuration":"a.yaml",
        "loaded":"l","reloads":1,"confinement":{"mode":"enforce","uid":"1",
        "capabilities":"0000000000000000","threads":9,"filtered":9,"calls":"enforced","landlock":6,
        "paths":["/etc/peekpass","/run/peekpass"],"ports":["443"],"lacks":[]},
        "listeners":[{"address":"a","state":"listening","queued":0,"pending":2,"clients":1}],
        "backends":[],"stalls":[],"outcomes":{},"counters":{}}
        """;
    StringWriter text = new StringWriter();
    StatusCommand.print(new PrintWriter(text, true), JsonObject.parse(status));
    assertThat(text.toString())
        .contains(
            "process 7, 1 thread, since s; it keeps track of 1 client\n",
            "of l, 1 reload\n",
            "capabilities none, system calls enforced in 9 of 9 threads, Landlock 6, ports 443\n",
            "confinement: files of the configuration: /etc/peekpass /run/peekpass\n",
            "pending 2 of 1 client\n");
  }
}
