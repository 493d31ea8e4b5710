package dev.peekpass.proxy.admin;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.proxy.Inherited;
import dev.peekpass.proxy.TransferredSocket;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The new process's side of a takeover, see {@link TakeoverOffer}.
 *
 * <p>It owns the descriptors that came until they are taken from it; {@link #close} ends the rest.
 */
public final class Takeover implements AutoCloseable {
  private static final int MAX_LINE_BYTES = 4096;
  private static final int MAX_SOCKETS = 100_000;
  private static final long DEADLINE_MILLIS = 30_000;

  private final Kernel kernel;
  private final AdminStream stream;
  private final List<TransferredSocket> sockets = new ArrayList<>();
  private final Set<String> drained = new HashSet<>();
  private String adminPath = "";
  private int offered;
  private Optional<Fd> admin = Optional.empty();

  private Takeover(Kernel kernel, AdminStream stream) {
    this.kernel = kernel;
    this.stream = stream;
  }

  /**
   * Asks a running proxy for its sockets. It goes on accepting.
   *
   * @param path of its admin socket
   * @throws AdminClient.UnreachableException when no proxy could be asked
   * @throws IOException when it refused, or did not answer as it should
   */
  public static Takeover begin(Kernel kernel, String path) throws IOException {
    Takeover takeover = new Takeover(kernel, AdminClient.connect(kernel, path, true));
    try {
      takeover.receive();
      return takeover;
    } catch (IOException | RuntimeException e) {
      takeover.close();
      throw e;
    }
  }

  private void receive() throws IOException {
    stream.within(DEADLINE_MILLIS);
    stream.send("takeover " + TakeoverOffer.VERSION);
    while (true) {
      String line = nextLine();
      int space = line.indexOf(' ');
      String word = space < 0 ? line : line.substring(0, space);
      String rest = space < 0 ? "" : line.substring(space + 1);
      switch (word) {
        case "socket" -> {
          if (sockets.size() == MAX_SOCKETS) {
            throw new IOException("the running proxy offers over " + MAX_SOCKETS + " sockets");
          }
          sockets.add(new TransferredSocket(rest, descriptor()));
        }
        case "admin" -> {
          admin.ifPresent(kernel::close);
          admin = Optional.of(descriptor());
          adminPath = rest;
        }
        case "drained" -> drained.add(rest);
        case "end" -> {
          return;
        }
        case "error" -> throw new IOException("the running proxy refuses: " + rest);
        default ->
            throw new IOException(
                "the running proxy says something that is not in the protocol: restart it instead");
      }
    }
  }

  private String nextLine() throws IOException {
    return stream
        .readLine(MAX_LINE_BYTES)
        .orElseThrow(() -> new IOException("the running proxy ended during the takeover"));
  }

  private Fd descriptor() throws IOException {
    return stream
        .takeDescriptor()
        .orElseThrow(() -> new IOException("the running proxy sent no descriptor: restart it"));
  }

  /** The listening sockets and the names of drained backends; the sockets are the caller's. */
  public Inherited takeSockets() {
    offered = sockets.size();
    Inherited inherited = new Inherited(sockets, drained);
    sockets.clear();
    return inherited;
  }

  /**
   * The admin socket, if it is where it is wanted; then it is the caller's.
   *
   * @param path where
   */
  public Optional<AdminSocket> takeAdminSocket(String path) throws IOException {
    if (admin.isEmpty() || !adminPath.equals(path)) {
      return Optional.empty();
    }
    AdminSocket socket = AdminSocket.inherited(admin.get(), path);
    admin = Optional.empty();
    return Optional.of(socket);
  }

  /**
   * Tells the old process that this one accepts, and waits until that one does so no more.
   *
   * @param unwanted which of the sockets, by their place, this process does not listen on; larger
   *     numbers are others' sockets
   * @param adminTaken whether this process answers on the admin socket
   */
  public void ready(Set<Integer> unwanted, boolean adminTaken) throws IOException {
    stream.within(DEADLINE_MILLIS);
    for (int index : unwanted) {
      if (index < offered) {
        stream.send("unwanted " + index);
      }
    }
    stream.send(adminTaken ? "ready admin" : "ready");
    String answer = nextLine();
    if (!answer.equals("taken")) {
      throw new IOException("the running proxy did not hand over: it says " + answer);
    }
  }

  @Override
  public void close() {
    sockets.forEach(socket -> kernel.close(socket.fd()));
    sockets.clear();
    admin.ifPresent(kernel::close);
    admin = Optional.empty();
    stream.close();
  }
}
