package dev.peekpass.receiver.netty;

import dev.peekpass.receiver.ServedNames;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpObject;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.DefaultHttp2HeadersFrame;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2HeadersFrame;
import io.netty.handler.codec.http2.Http2StreamFrame;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.ReferenceCountUtil;
import java.net.URI;
import java.util.List;
import javax.net.ssl.ExtendedSSLSession;
import javax.net.ssl.SNIHostName;
import org.jspecify.annotations.Nullable;

/**
 * Answers misdirected requests with 421 and lets the others through. One for each channel:
 *
 * <ul>
 *   <li>HTTP/1.1: behind {@code HttpServerCodec};
 *   <li>HTTP/2: first in the child channels of {@code Http2MultiplexHandler}, before or behind a
 *       {@code Http2StreamFrameToHttpObjectCodec}.
 * </ul>
 *
 * <p>The body of a misdirected request is dropped, and an HTTP/1.1 connection can go on after it.
 */
public final class MisdirectedRequestHandler extends ChannelInboundHandlerAdapter {
  private final ServedNames names;

  /** Whether the rest of a misdirected request is on its way. */
  private boolean dropping;

  /** Lets requests for these names through. */
  public MisdirectedRequestHandler(ServedNames names) {
    this.names = names;
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    boolean drop =
        switch (message) {
          case HttpRequest request -> isMisdirected(context, request);
          case Http2HeadersFrame frame when !dropping -> isMisdirected(context, frame);
          case HttpObject rest -> dropping;
          case Http2StreamFrame rest -> dropping;
          default -> false;
        };
    if (!drop) {
      dropping = false;
      context.fireChannelRead(message);
      return;
    }
    // A full request is its own last content.
    dropping = !(message instanceof LastHttpContent);
    ReferenceCountUtil.release(message);
  }

  private boolean isMisdirected(ChannelHandlerContext context, HttpRequest request) {
    if (!names.isMisdirected(authority(request), serverName(context.channel()))) {
      return false;
    }
    FullHttpResponse response =
        new DefaultFullHttpResponse(
            HttpVersion.HTTP_1_1,
            HttpResponseStatus.MISDIRECTED_REQUEST,
            context.alloc().buffer(0));
    HttpUtil.setContentLength(response, 0);
    boolean goesOn = HttpUtil.isKeepAlive(request);
    if (goesOn && !request.protocolVersion().isKeepAliveDefault()) {
      response.headers().set(HttpHeaderNames.CONNECTION, "keep-alive");
    } else if (!goesOn) {
      response.headers().set(HttpHeaderNames.CONNECTION, "close");
    }
    context
        .writeAndFlush(response)
        .addListener(goesOn ? ChannelFutureListener.CLOSE_ON_FAILURE : ChannelFutureListener.CLOSE);
    return true;
  }

  private boolean isMisdirected(ChannelHandlerContext context, Http2HeadersFrame frame) {
    Http2Headers headers = frame.headers();
    CharSequence authority = headers.authority();
    if (authority == null) {
      // RFC 9113 section 8.3.1: a client that translates HTTP/1.1 may send Host in its place.
      authority = headers.get(HttpHeaderNames.HOST);
    }
    if (headers.method() == null
        || !names.isMisdirected(
            authority == null ? null : authority.toString(), serverName(context.channel()))) {
      return false;
    }
    Http2Headers status =
        new DefaultHttp2Headers().status(HttpResponseStatus.MISDIRECTED_REQUEST.codeAsText());
    context
        .writeAndFlush(new DefaultHttp2HeadersFrame(status, true))
        .addListener(ChannelFutureListener.CLOSE_ON_FAILURE);
    return true;
  }

  /** RFC 9112 section 3.2.2: the target's authority, where it has one, goes before Host. */
  private static @Nullable String authority(HttpRequest request) {
    String target = request.uri();
    if (!target.startsWith("/")) {
      try {
        String own = URI.create(target).getRawAuthority();
        if (own != null) {
          return own;
        }
      } catch (IllegalArgumentException e) {
        // Not absolute-form: Host decides.
      }
    }
    return request.headers().get(HttpHeaderNames.HOST);
  }

  /** The server name of the TLS handshake, which for HTTP/2 the connection's channel has. */
  private static @Nullable String serverName(Channel channel) {
    for (Channel at = channel; at != null; at = at.parent()) {
      SslHandler tls = at.pipeline().get(SslHandler.class);
      if (tls != null && tls.engine().getSession() instanceof ExtendedSSLSession session) {
        List<?> requested = session.getRequestedServerNames();
        return !requested.isEmpty() && requested.getFirst() instanceof SNIHostName host
            ? host.getAsciiName()
            : null;
      }
    }
    return null;
  }
}
