package dev.peekpass.proxy.handoff;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Message;
import dev.peekpass.proxy.Loop;
import dev.peekpass.proxy.backend.Backend;
import dev.peekpass.proxy.connection.Batch;
import dev.peekpass.proxy.status.Counter;

/** A channel whose messages are a byte and descriptors, which nobody acknowledges. */
public abstract class PlainChannel extends Channel {

  /** The byte beside a descriptor. Receivers ignore its value (docs/protocol.md). */
  private static final byte PAYLOAD = 'P';

  private final Message message;

  /** The most descriptors that went into a message so far as is known: the backend's batch. */
  private int mostAtOnce;

  public PlainChannel(Loop loop, Backend backend, String path) {
    super(loop, backend, path);
    mostAtOnce = backend.batch();
    message = new Message(1, mostAtOnce);
    message.payload().put(0, PAYLOAD);
  }

  /** As {@link #connect}, to a receiver of which it is not known yet what goes into a message. */
  public final int connectAnew(int type) {
    int r = connect(type);
    if (r >= 0) {
      mostAtOnce = backend.batch();
    }
    return r;
  }

  /**
   * Sends one message with the first connections of a batch.
   *
   * @return how many went into it, or -errno
   */
  public final int send(Fd socket, Batch batch) {
    int count = Math.min(batch.size(), mostAtOnce);
    int r = send(socket, batch, count);
    int tooMany = 0;
    // Ends with a message of one at the latest, whatever the kernel says.
    while (r < 0 && count > 1 && mayTakeFewer(-r)) {
      tooMany = -r;
      count /= 2;
      r = send(socket, batch, count);
    }
    if (r < 0) {
      return r;
    }
    if (tooMany != 0) {
      mostAtOnce = count;
      loop.log()
          .warn(
              "backend {}: unix:{} takes {} descriptors in a message and no more: sendmsg: {}:"
                  + " lower the backend's batch",
              backend.name(),
              path,
              count,
              Errno.name(tooMany));
    }
    loop.counters().count(Counter.MESSAGES_SENT);
    return count;
  }

  private int send(Fd socket, Batch batch, int count) {
    message.beginSend(1);
    for (int i = 0; i < count; i++) {
      message.add(batch.get(i).fd);
    }
    return send(socket, message);
  }
}
