package dev.peekpass.proxy.admin;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;

class AdminPathTest {

  @Test
  void theServicesDirectoryIsFirstThenRootsThenTheUsers() {
    Map<String, String> all =
        Map.of("RUNTIME_DIRECTORY", "/run/a:/run/b", "XDG_RUNTIME_DIR", "/run/user/7");
    assertThat(AdminPath.standard(0, all)).contains("/run/a/admin.sock");
    assertThat(AdminPath.standard(0, Map.of("XDG_RUNTIME_DIR", "/run/user/7")))
        .contains("/run/peekpass/admin.sock");
    assertThat(AdminPath.standard(7, Map.of("XDG_RUNTIME_DIR", "/run/user/7")))
        .contains("/run/user/7/peekpass/admin.sock");
    assertThat(AdminPath.standard(7, Map.of("XDG_RUNTIME_DIR", "relative"))).isEmpty();
    assertThat(AdminPath.standard(7, Map.of())).isEmpty();
  }

  /** Root's start gave its own place to the user that is to serve. */
  @Test
  void ofAProxyThatNamesAUserRootsPlaceIsLookedAt() {
    String root = "/run/peekpass/admin.sock";
    Map<String, String> login = Map.of("XDG_RUNTIME_DIR", "/run/user/7");
    String own = "/run/user/7/peekpass/admin.sock";
    assertThat(AdminPath.toAsk(7, Map.of(), true, root::equals)).contains(root);
    assertThat(AdminPath.toAsk(7, Map.of(), true, path -> false)).contains(root);
    assertThat(AdminPath.toAsk(7, Map.of(), false, root::equals)).isEmpty();
    assertThat(AdminPath.toAsk(7, login, true, root::equals)).contains(root);
    assertThat(AdminPath.toAsk(7, login, true, path -> true)).contains(own);
    assertThat(AdminPath.toAsk(7, login, true, path -> false)).contains(own);
  }

  @Test
  void theServiceManagersDirectoriesAndTheStandardOneAreItsOwnPlace() {
    Map<String, String> service = Map.of("RUNTIME_DIRECTORY", "/run/shop:/run/other");
    assertThat(AdminPath.isStandardPlace("/run/other/a.sock", 0, service)).isTrue();
    assertThat(AdminPath.isStandardPlace("/run/peekpass/a.sock", 0, service)).isTrue();
    assertThat(AdminPath.isStandardPlace("/run/shop/below/a.sock", 0, service)).isFalse();
    assertThat(AdminPath.isStandardPlace("/run/a.sock", 0, service)).isFalse();
    assertThat(AdminPath.isStandardPlace("/a.sock", 0, Map.of())).isFalse();
    assertThat(AdminPath.isStandardPlace("/run/peekpass/a.sock", 7, Map.of())).isFalse();
  }
}
