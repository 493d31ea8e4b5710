package dev.peekpass.proxy.handoff;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Message;
import dev.peekpass.wire.FromReceiver;
import dev.peekpass.wire.HandOff;
import dev.peekpass.wire.OfferWriter;
import org.jspecify.annotations.Nullable;

/** The proxy's HELLO, with the page by which connections are claimed if the receiver wants one. */
final class Greeting {
  /** Sends a message; -errno when it cannot. */
  interface Sender {
    /** Sends it, whatever the number of interrupted calls. */
    int send(Fd socket, Message message);
  }

  private final Kernel kernel;
  private final ChannelLog log;

  Greeting(Kernel kernel, ChannelLog log) {
    this.kernel = kernel;
    this.log = log;
  }

  /** The page that the receiver asked for; null when it wants none or there is none. */
  @Nullable Claims claims(FromReceiver hello) {
    if (!hello.claims()) {
      return null;
    }
    return switch (Claims.make(kernel, Offers.MOST)) {
      case Claims.Made.Page made -> made.claims();
      case Claims.Made.Failed failed -> {
        log.noClaims(failed.call(), Errno.name(failed.errno()));
        yield null;
      }
    };
  }

  /**
   * Answers a receiver's HELLO.
   *
   * @param out written over
   * @param page sent along, if any; it stays the caller's
   * @return 0 or more, or -errno
   */
  int answer(Fd to, FromReceiver hello, @Nullable Claims page, Message out, Sender sender) {
    // What both speak; the receiver ends it if it no longer speaks this one.
    int version = Math.min(hello.version(), HandOff.VERSION);
    int words = page == null ? 0 : page.count();
    out.beginSend(OfferWriter.writeHello(out.payload(), version, words));
    if (page == null) {
      return sender.send(to, out);
    }
    out.add(page.memory());
    try {
      return sender.send(to, out);
    } finally {
      page.sent();
    }
  }
}
