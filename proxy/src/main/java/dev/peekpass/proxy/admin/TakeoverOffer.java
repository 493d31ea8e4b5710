package dev.peekpass.proxy.admin;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.proxy.Proxy;
import dev.peekpass.proxy.TransferredSocket;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The old process's side of a takeover.
 *
 * <pre>{@code
 * new                                   old
 *  │ takeover 1                          │
 *  │────────────────────────────────────>│ goes on as before
 *  │ socket BIND + descriptor, each      │
 *  │ admin PATH + descriptor             │
 *  │ drained NAME, each                  │
 *  │ end                                 │
 *  │<────────────────────────────────────│
 *  │ binds what is missing, accepts      │
 *  │ unwanted INDEX, each                │
 *  │ ready admin, or ready               │
 *  │────────────────────────────────────>│ accepts no more
 *  │ taken                               │
 *  │<────────────────────────────────────│ finishes what it has, ends
 * }</pre>
 *
 * Until {@code ready} nothing has changed: if the new process ends or is too late, the old one goes
 * on.
 */
final class TakeoverOffer {
  private static final Logger LOG = LoggerFactory.getLogger(TakeoverOffer.class);

  static final String VERSION = "1";

  /** From the offer to the new process's being ready. */
  private static final long READY_MILLIS = 30_000;

  private static final int MAX_LINE_BYTES = 64;

  private final AdminServer server;
  private final AdminStream stream;
  private final Kernel kernel;
  private final int pid;

  /**
   * Prepares an offer.
   *
   * @param pid the new process
   */
  TakeoverOffer(AdminServer server, AdminStream stream, Kernel kernel, int pid) {
    this.server = server;
    this.stream = stream;
    this.kernel = kernel;
    this.pid = pid;
  }

  /** Offers the sockets and waits until they are taken, or not. */
  void run(String[] words) throws IOException {
    if (words.length < 2 || !words[1].equals(VERSION)) {
      stream.send(
          "error this proxy knows version " + VERSION + " of the takeover: restart it instead");
      return;
    }
    Operations operations = server.operations();
    if (!operations.beginTurn()) {
      stream.send("error another reload, drain or takeover is under way: try again in a moment");
      return;
    }
    try {
      offer(operations);
    } finally {
      operations.endTurn();
    }
  }

  private void offer(Operations operations) throws IOException {
    LOG.info("takeover: offering the sockets to process {}", pid);
    Proxy proxy = operations.proxy();
    List<Fd> ours = new ArrayList<>();
    Optional<Set<Fd>> notTaken;
    stream.within(READY_MILLIS);
    try {
      send(proxy, ours);
      notTaken = awaitReady(ours);
    } catch (IOException e) {
      LOG.warn("takeover given up: {}; going on", e.getMessage());
      return;
    }
    if (notTaken.isEmpty()) {
      LOG.warn("takeover given up: process {} ended before it was ready; going on", pid);
      return;
    }
    proxy.handOver(notTaken.get());
    operations.notifier().handedOver(pid);
    LOG.info("takeover: process {} accepts; finishing what is here", pid);
    stream.send("taken");
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
    stream.send("admin " + server.socket().path(), server.socket().fd());
    for (String name : proxy.drained()) {
      stream.send("drained " + name);
    }
    stream.send("end");
  }

  /** The sockets that the new process does not want; empty when it ended. */
  private Optional<Set<Fd>> awaitReady(List<Fd> ours) throws IOException {
    Set<Fd> unwanted = new HashSet<>();
    while (true) {
      Optional<String> line = stream.readLine(MAX_LINE_BYTES);
      if (line.isEmpty()) {
        return Optional.empty();
      }
      String text = line.get();
      if (text.equals("ready admin")) {
        server.abandon();
        return Optional.of(unwanted);
      }
      if (text.equals("ready")) {
        return Optional.of(unwanted);
      }
      unwanted.add(ours.get(index(text, ours.size())));
    }
  }

  private static int index(String line, int size) throws IOException {
    String number = line.startsWith("unwanted ") ? line.substring("unwanted ".length()) : "";
    if (number.matches("\\d{1,6}") && Integer.parseInt(number) < size) {
      return Integer.parseInt(number);
    }
    throw new IOException("the new process says something that is not in the protocol");
  }
}
