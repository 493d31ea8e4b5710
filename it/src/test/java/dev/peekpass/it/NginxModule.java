package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Assumptions;

/** The nginx module, built for the nginx that is installed, and nginx's own dynamic modules. */
final class NginxModule {
  private static final String FILE = "ngx_peekpass_module.so";
  private static final Path DIRECTORY = Running.ROOT.resolve("nginx");

  private static @Nullable Path built;

  private NginxModule() {}

  /**
   * Where the module is, built first if need be. Skips the test, loudly, where there is no nginx or
   * nothing to build a module with. The system property {@code peekpass.nginx.module} names another
   * one to test, for example a packaged one.
   */
  static synchronized Path require() throws IOException {
    Tool.require("nginx");
    String wanted = System.getProperty("peekpass.nginx.module", "");
    if (!wanted.isEmpty()) {
      return Path.of(wanted).toAbsolutePath();
    }
    Path module = built;
    if (module == null) {
      module = build();
      built = module;
    }
    return module;
  }

  /** Where one of nginx's own dynamic modules is, for example {@code ngx_stream_module.so}. */
  static Path require(String file) {
    for (String dir : List.of("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules")) {
      Path module = Path.of(dir, file);
      if (Files.exists(module)) {
        return module;
      }
    }
    Assumptions.abort("SKIPPED: nginx has no " + file + "; ./test says how to install it");
    throw new AssertionError("aborted");
  }

  private static Path build() throws IOException {
    Tool.require("cc");
    Tool.require("make");
    Assumptions.assumeTrue(
        Files.exists(Path.of("/usr/share/nginx/src/configure")),
        () -> "SKIPPED: nginx-dev is not installed; ./test says how to install it");
    Path output = Files.createDirectories(Running.ROOT.resolve("it/target"));
    Running.Done done = Running.run(output, "make", "-C", DIRECTORY.toString());
    assertThat(done.status()).as(done.output() + done.errors()).isZero();
    // Not looked for: a package that was built (make deb) leaves another one beside it.
    Path module = DIRECTORY.resolve("build").resolve(FILE).toAbsolutePath().normalize();
    assertThat(module).as("what make -C nginx has built").exists();
    return module;
  }
}
