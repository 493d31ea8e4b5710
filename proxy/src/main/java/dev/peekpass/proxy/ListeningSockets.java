package dev.peekpass.proxy;

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
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The sockets that a configuration listens on, opened by a process that will not serve itself. */
public final class ListeningSockets {
  private static final Logger LOG = LoggerFactory.getLogger(ListeningSockets.class);

  private ListeningSockets() {}

  /**
   * Opens what is missing, as {@link Proxy#prepare} would. Where a new socket is to share its port
   * with one that is there, root opens it as that one's user, since the kernel wants it so
   * (SO_REUSEPORT, socket(7)); its user may then be another than is asked for.
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
    int self = kernel.geteuid();
    Set<Integer> owners = new HashSet<>();
    SocketPlan plan;
    try {
      plan =
          SocketPlan.of(
              kernel,
              configuration,
              configuration.threads(),
              there,
              one -> letShare(kernel, one.socket().fd(), self, owners));
    } finally {
      if (!owners.isEmpty()) {
        ProcessCalls.setfsuid(self);
      }
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

  /** Lets it share its port with one that is opened next, and that then is of the same user. */
  private static void letShare(Kernel kernel, Fd fd, int self, Set<Integer> owners) {
    kernel.setsockopt(fd, Linux.SOL_SOCKET, Linux.SO_REUSEPORT, 1);
    try {
      int owner = (int) Files.getAttribute(Path.of("/proc/self/fd/" + fd.number()), "unix:uid");
      // Not where nothing changes: a service manager's filter may kill for that call.
      if (owner != self || !owners.isEmpty()) {
        owners.add(owner);
        ProcessCalls.setfsuid(owner);
      }
    } catch (IOException e) {
      LOG.debug("{}: whose it is is not known: {}", fd, e.toString());
    }
  }

  /** Closes some of them. */
  public static void close(Kernel kernel, List<TransferredSocket> sockets) {
    for (TransferredSocket socket : sockets) {
      Fd fd = socket.fd();
      kernel.close(fd);
    }
  }
}
