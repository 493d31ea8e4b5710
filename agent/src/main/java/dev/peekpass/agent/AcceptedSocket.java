package dev.peekpass.agent;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.receiver.HandedOff;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Makes a received connection what accept4 on the server's own listening socket would have given:
 * in the blocking mode that its taker expects, and with the options that it would have inherited
 * from the listening socket (tcp(7), socket(7)).
 */
final class AcceptedSocket {
  // ip(7), ipv6(7)
  private static final int IPPROTO_IP = 0;
  private static final int IP_TOS = 1;
  private static final int IPV6_TCLASS = 67;

  private record Option(int level, int name) {
    /** setsockopt doubles what it is given and getsockopt tells the double. */
    boolean isBuffer() {
      return level == Linux.SOL_SOCKET && (name == Linux.SO_RCVBUF || name == Linux.SO_SNDBUF);
    }

    boolean isReceiveBuffer() {
      return level == Linux.SOL_SOCKET && name == Linux.SO_RCVBUF;
    }

    int get(Kernel kernel, Fd fd) {
      int value = kernel.getsockopt(fd, level, name);
      return value > 0 && isBuffer() ? value / 2 : value;
    }
  }

  private record Setting(Option option, int value) {}

  private static final List<Option> INHERITED =
      List.of(
          new Option(Linux.SOL_SOCKET, Linux.SO_RCVBUF),
          new Option(Linux.SOL_SOCKET, Linux.SO_SNDBUF),
          new Option(Linux.SOL_SOCKET, Linux.SO_KEEPALIVE),
          new Option(Linux.IPPROTO_TCP, Linux.TCP_NODELAY),
          new Option(Linux.IPPROTO_TCP, Linux.TCP_KEEPIDLE),
          new Option(Linux.IPPROTO_TCP, Linux.TCP_KEEPINTVL),
          new Option(Linux.IPPROTO_TCP, Linux.TCP_KEEPCNT),
          new Option(IPPROTO_IP, IP_TOS),
          new Option(Linux.IPPROTO_IPV6, IPV6_TCLASS));

  private final Fd listener;
  private final boolean nonBlocking;

  /** What INHERITED is on a socket that nobody has touched. */
  private final List<Setting> untouched = new ArrayList<>();

  /** Where the listening socket differs from that; null when it has to be found out. */
  private volatile @Nullable List<Setting> different;

  /** Whether options are set while the server already listens, so that they may change. */
  private volatile boolean changing;

  /**
   * Looks at an untouched socket of the same kind.
   *
   * @param listener the server's own TCP socket; the caller's
   * @param nonBlocking whether whoever accepts wants O_NONBLOCK
   */
  AcceptedSocket(Kernel kernel, Fd listener, boolean nonBlocking) {
    this.listener = listener;
    this.nonBlocking = nonBlocking;
    int domain = kernel.getsockopt(listener, Linux.SOL_SOCKET, Linux.SO_DOMAIN);
    int fresh = kernel.socket(domain, Linux.SOCK_STREAM | Linux.SOCK_CLOEXEC, 0);
    if (fresh >= 0) {
      for (Option option : INHERITED) {
        untouched.add(new Setting(option, option.get(kernel, Fd.of(fresh))));
      }
      kernel.close(Fd.of(fresh));
    }
  }

  /** An option of the listening socket has been, or is about to be, set. */
  void optionsChange() {
    changing = true;
  }

  /**
   * Prepares one connection.
   *
   * @param kernel the calling thread's
   */
  void prepare(Kernel kernel, HandedOff connection) {
    int flags = kernel.fcntl(connection.fd(), Linux.F_GETFL, 0);
    int wanted = nonBlocking ? flags | Linux.O_NONBLOCK : flags & ~Linux.O_NONBLOCK;
    if (flags >= 0 && flags != wanted) {
      kernel.fcntl(connection.fd(), Linux.F_SETFL, wanted);
    }
    List<Setting> settings = different;
    if (settings == null || changing) {
      settings = differences(kernel);
      different = settings;
    }
    for (Setting setting : settings) {
      Option option = setting.option();
      // A receive buffer that is smaller than what the client has been told of already would have
      // its segments dropped, and sent again after a time-out each.
      if (option.isReceiveBuffer() && option.get(kernel, connection.fd()) >= setting.value()) {
        continue;
      }
      // IPV6_TCLASS on a socket of AF_INET fails, as it should.
      kernel.setsockopt(connection.fd(), option.level(), option.name(), setting.value());
    }
  }

  private List<Setting> differences(Kernel kernel) {
    List<Setting> found = new ArrayList<>();
    for (Setting plain : untouched) {
      int value = plain.option().get(kernel, listener);
      if (value >= 0 && value != plain.value()) {
        found.add(new Setting(plain.option(), value));
      }
    }
    return found;
  }
}
