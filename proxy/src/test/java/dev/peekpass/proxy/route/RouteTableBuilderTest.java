package dev.peekpass.proxy.route;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;

final class RouteTableBuilderTest {
  private final RouteTableBuilder builder = new RouteTableBuilder();

  private int add(String pattern, List<String> alpn) {
    return builder.add(
        List.of(Names.pattern(pattern)), alpn, List.of(), "b", 0, builder.size() + 1);
  }

  @Test
  void seesARouteThatCanNeverMatch() {
    add("a.example", List.of("h2"));
    HostPattern a = Names.pattern("a.example");
    assertThat(builder.shadowingLine(a, List.of(), List.of())).isEmpty();
    assertThat(builder.shadowingLine(a, List.of("h3"), List.of())).isEmpty();
    assertThat(builder.shadowingLine(a, List.of("h2"), List.of())).hasValue(1);
    add("a.example", List.of());
    assertThat(builder.shadowingLine(a, List.of("h3"), List.of())).hasValue(2);
    assertThat(builder.shadowingLine(Names.pattern("*.a.example"), List.of(), List.of())).isEmpty();
  }

  @Test
  void seesARegularExpressionThatIsThereAlready() {
    add("/a+/", List.of());
    assertThat(builder.shadowingLine(Names.pattern("/a+/"), List.of(), List.of())).hasValue(1);
    assertThat(builder.shadowingLine(Names.pattern("/a*/"), List.of(), List.of())).isEmpty();
  }

  @Test
  void tellsANameFromItsWildcard() {
    add("example", List.of());
    assertThat(builder.shadowingLine(Names.pattern("*.example"), List.of(), List.of())).isEmpty();
    assertThat(builder.shadowingLine(Names.pattern("*"), List.of(), List.of())).isEmpty();
  }

  @Test
  void boundsTheRoutesOfOneName() {
    HostPattern a = Names.pattern("a.example");
    for (int i = 0; i < RouteTableBuilder.MAX_ROUTES_PER_NAME; i++) {
      assertThat(builder.isFull(a)).isFalse();
      add("a.example", List.of("p" + i));
    }
    assertThat(builder.isFull(a)).isTrue();
    assertThat(builder.isFull(Names.pattern("b.example"))).isFalse();
  }

  @Test
  void boundsTheRegularExpressions() {
    for (int i = 0; i < RouteTableBuilder.MAX_REGEXES; i++) {
      add("/a" + i + "/", List.of());
    }
    assertThat(builder.isFull(Names.pattern("/b/"))).isTrue();
    assertThat(builder.isFull(Names.pattern("a.example"))).isFalse();
  }

  @Test
  void refusesARouteWithoutPattern() {
    assertThatThrownBy(() -> builder.add(List.of(), List.of(), List.of(), "b", 0, 1))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
