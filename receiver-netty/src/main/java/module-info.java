import org.jspecify.annotations.NullMarked;

/** Floor 2: an adapter that makes handed-off connections children of a Netty server. */
@NullMarked
module dev.peekpass.receiver.netty {
  requires static transitive org.jspecify;
  requires transitive dev.peekpass.receiver;
  requires transitive io.netty.transport;
  requires transitive io.netty.buffer;
  // The attribute of a child.
  requires transitive io.netty.common;
  requires io.netty.transport.classes.epoll;
  requires transitive io.netty.transport.unix.common;
  // Only for MisdirectedRequestHandler.
  requires static io.netty.codec.http;
  requires static io.netty.handler;
  requires static io.netty.codec.http2;

  exports dev.peekpass.receiver.netty;
}
