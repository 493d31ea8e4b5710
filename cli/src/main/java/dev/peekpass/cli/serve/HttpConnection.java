package dev.peekpass.cli.serve;

import dev.peekpass.cli.serve.Response.Field;
import java.io.IOException;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * One client's connection, on one virtual thread.
 *
 * <pre>
 *  first byte ──0x16──► handshake ─┐            ┌───── kept alive ─────┐
 *      │                           ▼            ▼                      │
 *      └────────────────────────► head ──► response ──► idle ──► head ─┘
 *                                   │          │          │
 *                                refused    the last   stopped, or
 *                                   │        one       nothing came
 *                                   ▼          ▼          ▼
 *                                   └───────► linger ► closed
 * </pre>
 *
 * <p>One hand-off socket may carry connections to port 443 and to port 80, so the first byte says
 * which it is: a TLS record of a handshake begins with 0x16, an HTTP request never does.
 */
final class HttpConnection implements Runnable {
  // RFC 8446 section 5.1, ContentType handshake.
  private static final int TLS_HANDSHAKE = 0x16;
  // RFC 8446 section 6: a fatal alert, handshake_failure.
  private static final byte[] NO_TLS = {0x15, 3, 3, 0, 2, 2, 40};
  // Bodies up to this length go out with the head, in one segment where they fit.
  private static final int MAX_JOINED_BODY_BYTES = 16_384;

  private enum State {
    BUSY,
    IDLE,
    STOPPING
  }

  private final SocketChannel channel;
  private final @Nullable SSLContext tls;
  private final Responder responder;
  private final ServeLimits limits;
  private final Deadlines.Deadline deadline;
  private final RequestLog log;
  private final AtomicReference<State> state = new AtomicReference<>(State.BUSY);
  private final ClientFacts plainFacts;

  /**
   * A connection that now belongs to this.
   *
   * @param channel in blocking mode; closed when {@link #run()} returns, or now if this throws
   * @param tls null when there is no certificate
   * @throws IOException if the client has gone already
   */
  HttpConnection(
      SocketChannel channel,
      @Nullable SSLContext tls,
      Responder responder,
      ServeLimits limits,
      Deadlines deadlines,
      RequestLog log)
      throws IOException {
    this.channel = channel;
    this.tls = tls;
    this.responder = responder;
    this.limits = limits;
    this.log = log;
    boolean ready = false;
    try {
      plainFacts = ClientFacts.of(channel);
      // A head and the file after it are two writes: the second must not wait for an ack.
      channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
      ready = true;
    } finally {
      if (!ready) {
        channel.close();
      }
    }
    deadline = deadlines.watch(channel, limits.head());
  }

  /** Serves the client until one of both has had enough. */
  @Override
  public void run() {
    try (channel;
        deadline) {
      serve();
    } catch (IOException e) {
      // The client has gone, or did not keep a deadline, or we are stopping: nobody to tell. What
      // was under way is in the log.
      return;
    }
  }

  /** Makes the response that is under way the last, and ends the wait for a next request. */
  void stop() {
    if (state.getAndSet(State.STOPPING) == State.IDLE) {
      abort();
    }
  }

  /** Ends the connection at once. */
  void abort() {
    try {
      channel.close();
    } catch (IOException e) {
      // Closed all the same.
      return;
    }
  }

  private void serve() throws IOException {
    ByteBuffer first = ByteBuffer.allocate(1);
    if (channel.read(first) < 0) {
      return;
    }
    Transport transport = transport(first.array());
    if (transport == null) {
      return;
    }
    ClientFacts facts = transport.tls().map(plainFacts::with).orElse(plainFacts);
    RequestReader requests = new RequestReader(transport);
    while (exchange(transport, requests, facts) && awaitNext(requests)) {}
    linger(transport);
  }

  private @Nullable Transport transport(byte[] first) throws IOException {
    if (first[0] != TLS_HANDSHAKE) {
      return new PlainTransport(channel, first);
    }
    if (tls == null) {
      log.failure(plainFacts, "TLS, but there is no --tls-cert");
      channel.write(ByteBuffer.wrap(NO_TLS));
      channel.shutdownOutput();
      drain();
      return null;
    }
    deadline.in(limits.handshake());
    try {
      Transport transport = new TlsTransport(tls, channel, first);
      deadline.in(limits.head());
      return transport;
    } catch (SSLException e) {
      log.failure(plainFacts, "TLS handshake: " + e.getMessage());
      throw e;
    }
  }

  // True when another request may follow.
  private boolean exchange(Transport transport, RequestReader requests, ClientFacts facts)
      throws IOException {
    return switch (requests.head()) {
      // Nobody waits for an answer to half a head.
      case ParsedHead.Incomplete half -> false;
      case ParsedHead.Refused(int status, String reason) -> {
        try (Response response = Response.text(status, reason)) {
          List<Field> close = List.of(new Field("Connection", "close"));
          send(transport, facts, "-", response, close, System.nanoTime(), reason);
        }
        yield false;
      }
      case ParsedHead.Found(RequestHead head, int length) ->
          answer(transport, requests, facts, head);
    };
  }

  private boolean answer(
      Transport transport, RequestReader requests, ClientFacts facts, RequestHead head)
      throws IOException {
    long bodyBytes = head.bodyBytes().orElse(Long.MAX_VALUE);
    // A client that waits for 100 (Continue) may or may not send its body after a final status.
    boolean readable =
        bodyBytes == 0
            || (bodyBytes <= ServeLimits.MAX_DISCARDED_BODY_BYTES && !head.expectsContinue());
    boolean keep = head.keepsAlive() && readable && state.get() != State.STOPPING;
    List<Field> connection = new ArrayList<>();
    if (!keep) {
      connection.add(new Field("Connection", "close"));
    } else if (head.minorVersion() == 0) {
      connection.add(new Field("Connection", "keep-alive"));
    }
    long startNanos = System.nanoTime();
    try (Response response = respond(head, facts)) {
      send(transport, facts, head.line(), response, connection, startNanos, "");
    }
    deadline.in(limits.head());
    return keep && requests.discard(bodyBytes);
  }

  private Response respond(RequestHead head, ClientFacts facts) {
    try {
      return responder.respond(head, facts);
    } catch (IOException e) {
      log.failure(facts, e.toString());
      return Response.text(500, "");
    }
  }

  // False when we are stopping, when the client has closed, or, by an exception, when it is late.
  private boolean awaitNext(RequestReader requests) throws IOException {
    if (requests.hasMore()) {
      deadline.in(limits.head());
      return state.get() != State.STOPPING;
    }
    if (!state.compareAndSet(State.BUSY, State.IDLE)) {
      return false;
    }
    deadline.in(limits.idle());
    boolean more = requests.fill();
    deadline.in(limits.head());
    return state.compareAndSet(State.IDLE, State.BUSY) && more;
  }

  private void send(
      Transport transport,
      ClientFacts facts,
      String request,
      Response response,
      List<Field> connection,
      long startNanos,
      String note)
      throws IOException {
    List<Field> common = new ArrayList<>();
    common.add(new Field("Date", HttpDate.format(Instant.now(responder.clock()))));
    common.add(new Field("Server", "Peekpass"));
    common.add(new Field("X-Backend", responder.name()));
    common.addAll(connection);
    byte[] head = response.head(common);
    Sending sending = new Sending(transport);
    boolean whole = false;
    try {
      sending.send(head, response.body());
      whole = true;
    } finally {
      long micros = TimeUnit.NANOSECONDS.toMicros(System.nanoTime() - startNanos);
      String end = whole ? note : deadline.passed() ? "cut off: deadline" : "cut off";
      long bodyBytes = Math.max(0, sending.sentBytes - head.length);
      log.response(facts, request, response.status(), bodyBytes, micros, end);
    }
  }

  /** The sending of one response: every bit of progress moves the deadline. */
  private final class Sending {
    private final Transport transport;
    private long sentBytes;

    private Sending(Transport transport) {
      this.transport = transport;
    }

    private void send(byte[] head, Response.Body body) throws IOException {
      deadline.in(limits.stall());
      switch (body) {
        case Response.Body.Bytes(byte[] bytes) -> write(joined(head, bytes));
        case Response.Body.None none -> write(head);
        case Response.Body.Omitted omitted -> write(head);
        case Response.Body.Part part -> part(head, part);
      }
    }

    private void part(byte[] head, Response.Body.Part part) throws IOException {
      if (part.lengthBytes() <= MAX_JOINED_BODY_BYTES) {
        ByteBuffer bytes = ByteBuffer.allocate((int) part.lengthBytes());
        while (bytes.hasRemaining()
            && part.file().read(bytes, part.from() + bytes.position()) > 0) {}
        write(joined(head, Arrays.copyOf(bytes.array(), bytes.position())));
        if (bytes.hasRemaining()) {
          throw new IOException("the file has become shorter");
        }
        return;
      }
      write(head);
      long done = 0;
      while (done < part.lengthBytes()) {
        long sent = transport.send(part.file(), part.from() + done, part.lengthBytes() - done);
        if (sent == 0) {
          throw new IOException("the file has become shorter");
        }
        progress(sent);
        done += sent;
      }
    }

    private void write(byte[] bytes) throws IOException {
      int done = 0;
      while (done < bytes.length) {
        int written = transport.write(bytes, done, bytes.length - done);
        progress(written);
        done += written;
      }
    }

    private void progress(long bytes) {
      sentBytes += bytes;
      deadline.in(limits.stall());
    }

    private static byte[] joined(byte[] a, byte[] b) {
      byte[] both = Arrays.copyOf(a, a.length + b.length);
      System.arraycopy(b, 0, both, a.length, b.length);
      return both;
    }
  }

  private void linger(Transport transport) throws IOException {
    deadline.in(limits.linger());
    transport.finish();
    drain();
  }

  // close(2) with unread bytes resets the connection, also what the client has not read yet.
  private void drain() throws IOException {
    deadline.in(limits.linger());
    ByteBuffer rest = ByteBuffer.allocate(4096);
    for (long read = 0; read < ServeLimits.MAX_LINGER_BYTES; read += rest.position()) {
      if (channel.read(rest.clear()) < 0) {
        return;
      }
    }
  }
}
