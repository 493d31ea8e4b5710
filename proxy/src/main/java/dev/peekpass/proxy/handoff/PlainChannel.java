package dev.peekpass.proxy.handoff;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Message;
import dev.peekpass.proxy.config.BackendConfig;
import dev.peekpass.proxy.connection.Batch;
import dev.peekpass.proxy.connection.Connection;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.turn.Turn;

/** A channel whose messages are a byte and descriptors, which nobody acknowledges. */
abstract class PlainChannel extends Channel {

  /** The byte beside a descriptor. Receivers ignore its value (docs/protocol.md). */
  private static final byte PAYLOAD = 'P';

  private final Message message;
  private final MessageLimit limit;
  private boolean tooManyLogged;

  PlainChannel(Turn turn, Passing backend, BackendConfig config, String path) {
    super(turn, backend, config, path);
    limit = new MessageLimit(config.batch());
    message = new Message(1, config.batch());
    message.payload().put(0, PAYLOAD);
  }

  /** What to do about a receiver that closes before it takes anything. */
  final String notAllowed() {
    return Denial.unsaid(kernel).remedy();
  }

  /** As {@link #connect}, to a receiver of which it is not known yet what goes into a message. */
  final int connectAnew(int type) {
    int r = connect(type);
    if (r >= 0) {
      limit.want(config.batch());
    }
    return r;
  }

  /**
   * Sends one message with the first connections of a batch.
   *
   * @return how many went into it, or -errno
   */
  final int send(Fd socket, Batch batch) {
    if (!mayHave(batch)) {
      return -Errno.ENOBUFS;
    }
    int count = Math.min(batch.size(), limit.at(turn.nowNanos()));
    int r = send(socket, batch, count);
    // Ends with a message of one at the latest, whatever the kernel says.
    while (r < 0 && count > 1 && MessageLimit.mayTakeFewer(-r)) {
      reportTooMany(count, -r);
      count = limit.refused(count, turn.nowNanos());
      r = send(socket, batch, count);
    }
    if (r < 0) {
      return r;
    }
    turn.count(Counter.MESSAGES_SENT);
    return count;
  }

  @Override
  void taken(Connection connection) {
    endPassed(connection);
  }

  private int send(Fd socket, Batch batch, int count) {
    message.beginSend(1);
    for (int i = 0; i < count; i++) {
      message.add(batch.get(i).fd);
    }
    return send(socket, message, count);
  }

  /** Once: what passes is not worth a line, and what does not is said. */
  private void reportTooMany(int count, int errno) {
    if (!tooManyLogged) {
      tooManyLogged = true;
      turn.log()
          .warn(
              "backend {}: unix:{} takes fewer than {} descriptors in a message: sendmsg: {}: if"
                  + " that goes on, lower the backend's batch",
              config.name(),
              path,
              count,
              Errno.name(errno));
    }
  }
}
