package dev.peekpass.proxy.systemd;

import dev.peekpass.linux.Fd;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * The sockets that the service manager opened before it started the service (socket activation,
 * sd_listen_fds(3)).
 */
public final class ActivationSockets {
  /** SD_LISTEN_FDS_START, sd_listen_fds(3). */
  private static final int FIRST = 3;

  private static final int MOST = 4096;

  private ActivationSockets() {}

  /**
   * One of them.
   *
   * @param name FileDescriptorName= of its unit; for the log
   * @param fd owned by the holder of this value
   */
  public record Passed(String name, Fd fd) {}

  /**
   * Those that were passed to this process. To be called once: whoever gets them owns them.
   *
   * @param environment looked at for LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES
   * @param pid this process
   */
  public static List<Passed> of(Map<String, String> environment, long pid) {
    if (!environment.getOrDefault("LISTEN_PID", "").equals(String.valueOf(pid))) {
      return List.of();
    }
    int count;
    try {
      count = Math.clamp(Integer.parseInt(environment.getOrDefault("LISTEN_FDS", "0")), 0, MOST);
    } catch (NumberFormatException e) {
      return List.of();
    }
    String[] names = environment.getOrDefault("LISTEN_FDNAMES", "").split(":", -1);
    List<Passed> passed = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      String name = i < names.length && !names[i].isEmpty() ? names[i] : "unknown";
      passed.add(new Passed(name, Fd.of(FIRST + i)));
    }
    return passed;
  }
}
