package dev.peekpass.proxy.admin;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import dev.peekpass.fuzz.Draw;
import dev.peekpass.fuzz.Promise;
import java.io.IOException;
import java.util.List;

/**
 * What is asked over the admin socket, and the answer: every line is a request, and an answer that
 * quotes it is one line of JSON that says the same to another reader.
 */
public final class AdminTarget {
  private static final JsonFactory JSON = new JsonFactory();
  private static final Draw DRAW = new Draw();

  private AdminTarget() {}

  /** Takes one input: all that comes over a connection. */
  public static void fuzzerTestOneInput(byte[] input) {
    DRAW.from(input);
    List<String> lines = Lines.of(input, LineBytes.REQUEST, DRAW);
    if (lines.isEmpty()) {
      return;
    }
    // One of them, so that an input of many is no dearer.
    String line = lines.get(DRAW.below(lines.size()));
    AdminRequest request = AdminRequest.of(line);
    Promise.keep(
        request.argument().length() <= line.length()
            && request.argument().equals(request.argument().trim()),
        "an argument that was not sent");
    if (DRAW.oneIn(4)) {
      answer(request.argument());
    }
  }

  private static void answer(String quoted) {
    String answer = Operations.error("no backend is named \"" + quoted + "\"");
    Promise.keep(answer.indexOf('\n') < 0, "an answer of several lines");
    try (JsonParser parser = JSON.createParser(answer)) {
      Promise.keep(
          parser.nextToken() == JsonToken.START_OBJECT
              && "ok".equals(parser.nextFieldName())
              && parser.nextToken() == JsonToken.VALUE_FALSE
              && "error".equals(parser.nextFieldName())
              && parser.nextToken() == JsonToken.VALUE_STRING
              && parser.getText().equals("no backend is named \"" + quoted + "\"")
              && parser.nextToken() == JsonToken.END_OBJECT
              && parser.nextToken() == null,
          "an answer that another reader of JSON reads otherwise");
    } catch (IOException e) {
      throw new IllegalStateException(answer, e);
    }
  }
}
