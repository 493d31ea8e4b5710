package dev.peekpass.proxy.admin;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class JsonTest {

  @Test
  void commasStandBetweenElementsOnly() {
    Json json = new Json().open('{').name("a").value(1).name("b").open('[').close(']');
    json.name("c").open('[').value("x").value(true).open('{').close('}').close(']');
    json.texts("d", List.of("p", "q")).close('}');

    assertThat(json).hasToString("{\"a\":1,\"b\":[],\"c\":[\"x\",true,{}],\"d\":[\"p\",\"q\"]}");
  }

  @Test
  void whatWouldBreakALineOrATextIsEscaped() {
    assertThat(new Json().value("\"\\\n\u0000\u007f\u00fc\ud800"))
        .hasToString("\"\\\"\\\\\\u000a\\u0000\\u007f\u00fc\\ud800\"");
  }
}
