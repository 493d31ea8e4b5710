package dev.peekpass.it;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** Runs Python that hands connections over, with all of {@code sender.py} at its disposal. */
final class Sender {
  private static final Path LIBRARY =
      Running.ROOT.resolve("it/src/test/resources/sender.py").toAbsolutePath();

  private Sender() {}

  /** Starts a script; {@code path} and {@code method} say where and how to hand over. */
  static Running start(Path dir, Path socket, String method, String script) throws IOException {
    String whole =
        "exec(compile(open(%s).read(), 'sender.py', 'exec'))\n".formatted(quoted(LIBRARY)) + script;
    return Running.start(
        dir,
        "sender-" + System.nanoTime(),
        List.of("python3", "-u", "-c", whole, socket.toString(), method));
  }

  /** Runs a script to its end, which must be a good one, and returns what it printed. */
  static String run(Path dir, Path socket, String method, String script) throws IOException {
    try (Running python = start(dir, socket, method, script)) {
      int status = python.await();
      if (status != 0) {
        throw new AssertionError("the sender failed: " + python.output() + python.errors());
      }
      return python.output();
    }
  }

  private static String quoted(Path path) {
    return "'" + path.toString().replace("\\", "\\\\").replace("'", "\\'") + "'";
  }
}
