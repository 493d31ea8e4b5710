package dev.peekpass.proxy.admin;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.Proxy;
import dev.peekpass.proxy.TransferredSocket;
import dev.peekpass.proxy.advice.Reason;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The old process's side of a takeover.
 *
 * <pre>{@code
 * new                                   old
 *  │ takeover 2                          │
 *  │────────────────────────────────────>│ goes on as before
 *  │ socket BIND + descriptor, each      │
 *  │ admin PATH + descriptor             │
 *  │ drained NAME, each                  │
 *  │ end                                 │
 *  │<────────────────────────────────────│
 *  │ binds what is missing, makes all    │
 *  │ that it needs, and accepts nothing  │
 *  │ unwanted INDEX, each                │
 *  │ ready admin, or ready               │
 *  │────────────────────────────────────>│ leaves the admin socket's file to it
 *  │ taken                               │
 *  │<────────────────────────────────────│ still goes on as before
 *  │ accepts                             │
 *  │ accepting                           │
 *  │────────────────────────────────────>│ accepts no more, finishes what it has, ends
 * }</pre>
 *
 * <p>A new process that finds that it cannot or must not go on says {@code refused WHY} instead of
 * {@code ready}, and ends.
 *
 * <p>Until {@code accepting} nothing has changed: if the new process ends or is too late, the old
 * one says why ({@code error …}) and goes on. The new one that does not read {@code taken} ends
 * without having accepted. In version 1 the new process accepts before {@code ready}, and {@code
 * taken} is the last word.
 */
final class TakeoverOffer {
  private static final Logger LOG = LoggerFactory.getLogger(TakeoverOffer.class);

  static final String VERSION = "2";
  static final String FIRST_VERSION = "1";

  /** How a proxy refuses a version, before the number of the last that it knows. */
  static final String OTHER_VERSION = "error this proxy knows version ";

  /** How a new process says, instead of {@code ready}, that it ends, before the reason. */
  static final String REFUSED = "refused ";

  /** How long a process may take to end, from its closing the connection. */
  private static final int END_MILLIS = 1000;

  /** How often it is looked whether a process that may accept says that it does. */
  private static final long ACCEPTING_MILLIS = 10_000;

  private final AdminServer server;
  private final AdminStream stream;
  private final Kernel kernel;
  private final PeerProcess young;
  private final boolean first;

  /** What the new process wants. */
  private record Ready(Set<Fd> unwanted, boolean admin) {}

  private TakeoverOffer(
      AdminServer server, AdminStream stream, Kernel kernel, PeerProcess young, boolean first) {
    this.server = server;
    this.stream = stream;
    this.kernel = kernel;
    this.young = young;
    this.first = first;
  }

  /**
   * Offers the sockets and waits until they are taken, or not.
   *
   * @param version what was asked for
   */
  static void run(AdminServer server, AdminStream stream, Kernel kernel, String version)
      throws IOException {
    if (!version.equals(VERSION) && !version.equals(FIRST_VERSION)) {
      stream.send(OTHER_VERSION + VERSION + " of the takeover and older: restart it instead");
      return;
    }
    try (PeerProcess young = PeerProcess.of(kernel, stream.socket())) {
      boolean first = version.equals(FIRST_VERSION);
      new TakeoverOffer(server, stream, kernel, young, first).inTurn(server.operations());
    }
  }

  private void inTurn(Operations operations) throws IOException {
    if (!operations.beginTurn()) {
      stream.send("error another reload, drain or takeover is under way: try again in a moment");
      return;
    }
    try {
      offer(operations);
    } catch (AdminStream.LateException e) {
      giveUp("it was not ready within " + TakeoverTimes.text(server.times().old()));
    } catch (IOException e) {
      giveUp(Reason.of(e));
    } catch (RuntimeException | Error e) {
      giveUp("a fault in Peekpass: " + e);
      throw e;
    } finally {
      operations.endTurn();
    }
  }

  /** Tells both that nothing has changed. */
  private void giveUp(String why) {
    LOG.warn("takeover by {} given up: {}; going on", young, why);
    try {
      stream.within(0);
      stream.send("error the takeover was given up: " + why);
    } catch (IOException e) {
      LOG.debug("takeover: {}", e.getMessage());
    }
  }

  private void offer(Operations operations) throws IOException {
    LOG.info("takeover: offering the sockets to {}", young);
    Proxy proxy = operations.proxy();
    List<Fd> ours = new ArrayList<>();
    stream.within(server.times().old().toMillis());
    send(proxy, ours);
    Ready ready = awaitReady(ours);
    if (ready.admin) {
      server.socket().leaveFile();
    }
    try {
      sayTaken();
      if (!first) {
        awaitAccepting();
      }
    } catch (IOException | RuntimeException | Error e) {
      if (ready.admin) {
        server.socket().ownFile(kernel);
      }
      throw e;
    }
    if (ready.admin) {
      server.abandon();
    }
    proxy.handOver(ready.unwanted);
    if (young.pid() > 0) {
      operations.notifier().handedOver(young.pid());
    }
    LOG.info("takeover: {} accepts; finishing what is here", young);
  }

  private void send(Proxy proxy, List<Fd> ours) throws IOException {
    Map<TransferredSocket, Fd> duplicates = proxy.duplicateSockets();
    try {
      for (Map.Entry<TransferredSocket, Fd> one : duplicates.entrySet()) {
        stream.send("socket " + one.getKey().bind(), one.getKey().fd());
        ours.add(one.getValue());
      }
    } finally {
      duplicates.keySet().forEach(duplicate -> kernel.close(duplicate.fd()));
    }
    sendAdminSocket();
    for (String name : proxy.drained()) {
      stream.send("drained " + name);
    }
    stream.send("end");
  }

  /** A duplicate, since the socket itself may be closed meanwhile: the proxy may stop. */
  private void sendAdminSocket() throws IOException {
    int r = server.socket().duplicate(kernel);
    if (r < 0) {
      throw new SystemCallException(
          "duplicate the admin socket",
          -r,
          r == -Errno.EBADF ? "the proxy is stopping" : "raise the limit of open files");
    }
    Fd duplicate = Fd.of(r);
    try {
      stream.send("admin " + server.socket().path(), duplicate);
    } finally {
      kernel.close(duplicate);
    }
  }

  private Ready awaitReady(List<Fd> ours) throws IOException {
    Set<Fd> unwanted = new HashSet<>();
    while (true) {
      String line =
          stream
              .readLine(LineBytes.OF_NEW)
              .orElseThrow(() -> new IOException("it ended before it was ready"));
      switch (TakeoverLine.ofNew(line, ours.size())) {
        case TakeoverLine.Answer.Refused(String why) -> throw new IOException("it refuses: " + why);
        case TakeoverLine.Answer.Ready(boolean admin) -> {
          return new Ready(unwanted, admin);
        }
        case TakeoverLine.Answer.Unwanted(int index) -> unwanted.add(ours.get(index));
      }
    }
  }

  private void sayTaken() throws IOException {
    try {
      stream.send("taken");
    } catch (AdminStream.LateException e) {
      throw e;
    } catch (IOException e) {
      // In the first version it accepts already, whatever it is told, if it has not ended.
      if (!first || young.hasEnded(END_MILLIS)) {
        throw new IOException("it waited no longer, and ends", e);
      }
    }
  }

  /**
   * The new process may accept from here on, and goes on as soon as it runs: so that this one must
   * wait for it to say so, or to end, however long that takes. It serves meanwhile.
   */
  private void awaitAccepting() throws IOException {
    boolean said = false;
    while (true) {
      try {
        stream.within(ACCEPTING_MILLIS);
        String line =
            stream
                .readLine(LineBytes.OF_NEW)
                .orElseThrow(() -> new IOException("it ended before it accepted"));
        if (!line.equals("accepting")) {
          throw new IOException("it says something that is not in the protocol");
        }
        return;
      } catch (AdminStream.LateException e) {
        if (!said) {
          said = true;
          LOG.warn(
              "takeover: {} may accept and does not say that it does: it is stopped or hangs; going"
                  + " on until it does or ends",
              young);
        }
      }
    }
  }
}
