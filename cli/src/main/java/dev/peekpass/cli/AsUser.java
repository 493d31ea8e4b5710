package dev.peekpass.cli;

import dev.peekpass.cli.stage.Candidate;
import dev.peekpass.linux.Errno;
import dev.peekpass.linux.ProcessCalls;
import java.io.IOException;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Does something as another user, which root can: on a thread of its own, which becomes that user
 * and ends. The kernel asks the thread who it is, also on behalf of who is connected to.
 */
final class AsUser {
  private AsUser() {}

  /**
   * Does it.
   *
   * @param action throws nothing but what is a fault; needs no class that only root can read
   * @throws IOException when this process may not become that user
   */
  static <T> T get(Candidate user, Supplier<T> action) throws IOException {
    // A class that is found only when it is used would have to be read by that user.
    var _ = ProgramClasses.load();
    int[] refused = new int[1];
    @Nullable Object[] result = new @Nullable Object[1];
    Throwable[] thrown = new Throwable[1];
    Thread thread =
        Thread.ofPlatform()
            .name("as " + user.name())
            .unstarted(() -> {
              try {
                refused[0] = become(user);
                if (refused[0] >= 0) {
                  result[0] = action.get();
                }
              } catch (RuntimeException | Error e) {
                thrown[0] = e;
              }
            });
    thread.start();
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
    if (thrown[0] != null) {
      throw new IllegalStateException("as user " + user.name(), thrown[0]);
    }
    if (refused[0] < 0) {
      throw new IOException(Errno.name(-refused[0]));
    }
    @SuppressWarnings("unchecked")
    T done = (T) Optional.ofNullable(result[0]).orElseThrow();
    return done;
  }

  private static int become(Candidate user) {
    int[] groups = user.groups().stream().mapToInt(Integer::intValue).toArray();
    int r = ProcessCalls.setgroups(groups);
    if (r >= 0) {
      r = ProcessCalls.setresgid(user.gid());
    }
    return r < 0 ? r : ProcessCalls.setresuid(user.uid());
  }
}
