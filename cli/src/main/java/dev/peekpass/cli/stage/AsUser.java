package dev.peekpass.cli.stage;

import dev.peekpass.linux.ProcessCalls;
import dev.peekpass.linux.SystemCallException;
import java.io.IOException;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Does something as another user, which root can: on a thread of its own, which becomes that user
 * and ends. The kernel asks the thread who it is, also on behalf of who is connected to.
 */
public final class AsUser {
  private AsUser() {}

  /**
   * Does it.
   *
   * @param action throws nothing but what is a fault; needs no class that only root can read: of a
   *     jar that is not open yet
   * @throws SystemCallException when this process may not become that user
   */
  public static <T> T get(Identity user, Supplier<T> action) throws IOException {
    @Nullable SystemCallException[] refused = new @Nullable SystemCallException[1];
    @Nullable Object[] result = new @Nullable Object[1];
    Throwable[] thrown = new Throwable[1];
    Thread thread =
        Thread.ofPlatform()
            .name("as " + user.name())
            .unstarted(() -> {
              try {
                become(user);
                result[0] = action.get();
              } catch (SystemCallException e) {
                refused[0] = e;
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
    SystemCallException failure = refused[0];
    if (failure != null) {
      throw failure;
    }
    @SuppressWarnings("unchecked")
    T done = (T) Optional.ofNullable(result[0]).orElseThrow();
    return done;
  }

  /** Makes the calling thread that user's, for good. */
  static void become(Identity user) throws SystemCallException {
    check("setgroups", ProcessCalls.setgroups(user.groupArray()));
    check("setresgid", ProcessCalls.setresgid(user.gid()));
    check("setresuid", ProcessCalls.setresuid(user.uid()));
  }

  private static void check(String call, int r) throws SystemCallException {
    if (r < 0) {
      throw new SystemCallException(call, -r, Remedies.ofGivingUp(-r, true));
    }
  }
}
