package dev.peekpass.proxy.admin;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.proxy.TransferredSocket;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * A takeover on its way to another program in this process (execve(2)), in which it goes on.
 *
 * @param stream the connection to the old process
 * @param version of the conversation
 * @param deadlineNanos until when, by {@link Kernel#nanoTime}
 * @param sockets the listening sockets that have come
 * @param drained the names of drained backends
 * @param adminPath where the old process's admin socket is
 * @param admin that socket, if it came
 * @param known whether the kernel named the old process, and not one that listened before it; by
 *     now that process may have ended
 * @param ended whether the old process has ended
 * @param unread what has come and was not looked at
 */
public record CarriedTakeover(
    Fd stream,
    String version,
    long deadlineNanos,
    List<TransferredSocket> sockets,
    Set<String> drained,
    String adminPath,
    Optional<Fd> admin,
    boolean known,
    boolean ended,
    String unread) {
  /** Copies the collections. */
  public CarriedTakeover {
    sockets = List.copyOf(sockets);
    drained = Set.copyOf(drained);
  }

  /** All that is open for it. */
  public List<Fd> descriptors() {
    List<Fd> all = new ArrayList<>();
    all.add(stream);
    sockets.forEach(socket -> all.add(socket.fd()));
    admin.ifPresent(all::add);
    return all;
  }
}
