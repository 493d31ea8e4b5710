package dev.peekpass.proxy.admin;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.PeerCredentials;
import java.io.IOException;
import java.util.Objects;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection to the admin socket: a request and its answer. Whatever goes wrong in between is
 * answered, too: who asks must never be left without a word.
 */
final class AdminConnection {
  private static final Logger LOG = LoggerFactory.getLogger(AdminConnection.class);

  private final AdminServer server;
  private final Kernel kernel;
  private final AdminStream stream;

  private AdminConnection(AdminServer server, Kernel kernel, AdminStream stream) {
    this.server = server;
    this.kernel = kernel;
    this.stream = stream;
  }

  /**
   * Reads the request, does it, and answers. Throws nothing.
   *
   * @param kernel the calling thread's
   * @param connection non-blocking; closed here
   */
  static void answer(AdminServer server, Kernel kernel, Fd connection) {
    talk(kernel, connection, stream -> new AdminConnection(server, kernel, stream).answer());
  }

  /**
   * Answers without having read the request. Throws nothing and waits for nothing.
   *
   * @param kernel the calling thread's
   * @param connection non-blocking; closed here
   * @param why what to do, to be shown
   */
  static void refuse(Kernel kernel, Fd connection, String why) {
    talk(
        kernel,
        connection,
        stream -> {
          stream.within(0);
          stream.send(Operations.error(why));
        });
  }

  private interface Talk {
    void with(AdminStream stream) throws IOException;
  }

  private static void talk(Kernel kernel, Fd connection, Talk talk) {
    boolean owned = true;
    try (AdminStream stream = new AdminStream(kernel, connection, false)) {
      owned = false;
      talk.with(stream);
    } catch (IOException e) {
      LOG.info("admin socket: a request was given up: {}", e.getMessage());
    } catch (RuntimeException | Error e) {
      report(e);
    } finally {
      if (owned) {
        kernel.close(connection);
      }
    }
  }

  /** Logs what went wrong, if that can be done: what is wrong may be the log itself. */
  static void report(Throwable thrown) {
    try {
      LOG.error("admin socket: a request failed: this is a fault in Peekpass", thrown);
    } catch (RuntimeException | Error e) {
      thrown.addSuppressed(e);
    }
  }

  private void answer() throws IOException {
    stream.within(AdminServer.DEADLINE_MILLIS);
    PeerCredentials[] peer = new PeerCredentials[1];
    int r = kernel.peerCredentials(stream.socket(), peer);
    int own = kernel.geteuid();
    if (r < 0 || (peer[0].uid() != 0 && peer[0].uid() != own)) {
      String why = "only root and uid " + own + ", which runs the proxy, may talk to it";
      if (r < 0) {
        LOG.warn("admin socket: refused uid unknown: {}", why);
      } else {
        LOG.warn(
            "admin socket: refused uid {} (process {}): {}",
            Integer.toUnsignedString(peer[0].uid()),
            peer[0].pid(),
            why);
      }
      stream.send(Operations.error(why));
      return;
    }
    Optional<String> line;
    try {
      line = stream.readLine(LineBytes.REQUEST);
    } catch (LineBuffer.TooLongException e) {
      stream.send(Operations.error(Objects.toString(e.getMessage())));
      return;
    }
    if (line.isEmpty()) {
      return;
    }
    AdminRequest request = AdminRequest.of(line.get());
    if (request.word() == AdminRequest.Word.TAKEOVER) {
      TakeoverOffer.run(server, stream, kernel, request.argument());
      return;
    }
    String answer;
    try {
      answer = answer(request);
    } catch (RuntimeException | Error e) {
      stream.within(AdminServer.DEADLINE_MILLIS);
      stream.send(Operations.failed(e));
      throw e;
    }
    stream.within(AdminServer.DEADLINE_MILLIS);
    stream.send(answer);
  }

  private String answer(AdminRequest request) {
    Operations operations = server.operations();
    return switch (request.word()) {
      case STATUS -> operations.status();
      case RELOAD -> operations.reload();
      case DRAIN -> operations.drain(request.argument(), true);
      case UNDRAIN -> operations.drain(request.argument(), false);
      case TAKEOVER, UNKNOWN ->
          Operations.error(
              "unknown request: write status, reload, drain NAME, undrain NAME or takeover "
                  + TakeoverOffer.VERSION);
    };
  }
}
