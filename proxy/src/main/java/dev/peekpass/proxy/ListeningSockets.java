package dev.peekpass.proxy;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.ProcessCalls;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.config.BindAddress;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.listen.BoundSocket;
import dev.peekpass.proxy.listen.SocketPlan;
import dev.peekpass.proxy.listen.SocketPlan.Held;
import dev.peekpass.proxy.route.Reading;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The sockets that a configuration listens on, opened by a process that will not serve itself. */
public final class ListeningSockets {
  private static final Logger LOG = LoggerFactory.getLogger(ListeningSockets.class);

  /** For fchown(2). */
  private static final int SAME_GROUP = -1;

  private ListeningSockets() {}

  /**
   * Opens what is missing, as {@link Proxy#prepare} would. Where a new socket is to share its port
   * with one that is there, root opens it as that one's user, since the kernel wants it so
   * (SO_REUSEPORT, socket(7)); its user may then be another than is asked for. Where those of a
   * port are of more than one user, root gives them to one of these first. The classes that are
   * used meanwhile are in jars that this program has open: no file of them is opened as that user.
   *
   * @param held what is there already; stays the caller's
   * @return what was opened; the caller's
   * @throws SystemCallException when one cannot be opened; nothing new is left open
   */
  public static List<TransferredSocket> open(
      Kernel kernel, Configuration configuration, List<TransferredSocket> held)
      throws SystemCallException {
    List<Held> there = new ArrayList<>();
    for (TransferredSocket socket : held) {
      BindAddress bind =
          BindAddress.parse(socket.bind()) instanceof Reading.Good<BindAddress>(BindAddress known)
              ? known
              : null;
      there.add(new Held(BoundSocket.inherited(kernel, socket.fd(), bind), SocketPlan.NO_LOOP));
    }
    Owners owners = new Owners(kernel);
    SocketPlan plan;
    try {
      plan = SocketPlan.of(kernel, configuration, configuration.threads(), there, owners::letShare);
    } finally {
      owners.restore();
    }
    List<TransferredSocket> opened = new ArrayList<>();
    for (int loop = 0; loop < configuration.threads(); loop++) {
      for (BoundSocket one : plan.openedForLoop(loop)) {
        if (one.shared()) {
          // A duplicate for another loop, which that process makes anew.
          kernel.close(one.fd());
        } else {
          opened.add(new TransferredSocket(one.bind().toString(), one.fd()));
        }
      }
    }
    return opened;
  }

  /** Closes some of them. */
  public static void close(Kernel kernel, List<TransferredSocket> sockets) {
    for (TransferredSocket socket : sockets) {
      Fd fd = socket.fd();
      kernel.close(fd);
    }
  }

  /** Whose the sockets are that are there, and as whom the calling thread opens more. */
  private static final class Owners {
    private final Kernel kernel;
    private final int self;
    private int now;

    Owners(Kernel kernel) {
      this.kernel = kernel;
      self = kernel.geteuid();
      now = self;
    }

    /** Lets them share their port with one that is opened next, and that then is of their user. */
    void letShare(List<Held> onePort) {
      Set<Integer> owners = new TreeSet<>();
      for (Held one : onePort) {
        Fd fd = one.socket().fd();
        kernel.setsockopt(fd, Linux.SOL_SOCKET, Linux.SO_REUSEPORT, 1);
        owner(fd).ifPresent(owners::add);
      }
      if (owners.isEmpty()) {
        return;
      }
      int owner = owners.iterator().next();
      if (owners.size() > 1) {
        // A new one can be of one user only, and shares with that user's.
        onePort.forEach(one -> give(one, owner));
      }
      become(owner);
    }

    private static OptionalInt owner(Fd fd) {
      try {
        return OptionalInt.of(
            (int) Files.getAttribute(Path.of("/proc/self/fd/" + fd.number()), "unix:uid"));
      } catch (IOException e) {
        LOG.debug("{}: whose it is is not known: {}", fd, e.toString());
        return OptionalInt.empty();
      }
    }

    private static void give(Held one, int owner) {
      int r = ProcessCalls.fchown(one.socket().fd(), owner, SAME_GROUP);
      if (r < 0) {
        LOG.debug("fchown of {}: {}", one.socket().label(), Errno.name(-r));
      }
    }

    void restore() {
      become(self);
    }

    /** Not where nothing changes: a service manager's filter may kill for that call. */
    private void become(int user) {
      if (user != now) {
        ProcessCalls.setfsuid(user);
        now = user;
      }
    }
  }
}
