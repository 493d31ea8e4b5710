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
import io.netty.handler.codec.http2.Http2StreamChannel;
import io.netty.handler.codec.http2.Http2StreamFrame;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.ReferenceCountUtil;
import java.util.List;
import java.util.OptionalInt;
import javax.net.ssl.ExtendedSSLSession;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLSession;
import org.jspecify.annotations.Nullable;

/**
 * Answers misdirected requests with 421, those with several Host fields with 400, and lets the
 * others through. One for each channel:
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
  private static final OptionalInt MISDIRECTED = OptionalInt.of(ServedNames.MISDIRECTED_REQUEST);

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
          case HttpRequest request -> isRefused(context, request);
          case Http2HeadersFrame frame when !dropping -> isRefused(context, frame);
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

  private boolean isRefused(ChannelHandlerContext context, HttpRequest request) {
    List<String> hosts = request.headers().getAll(HttpHeaderNames.HOST);
    String serverName = serverName(context.channel());
    OptionalInt refusal;
    if (context.channel() instanceof Http2StreamChannel) {
      // What was :authority is a Host field now, beside one that was there, and the target a path.
      boolean misdirected = hosts.stream().anyMatch(host -> names.isMisdirected(host, serverName));
      refusal = misdirected ? MISDIRECTED : OptionalInt.empty();
    } else {
      refusal = names.refusal(request.method().name(), request.uri(), hosts, serverName);
    }
    if (refusal.isEmpty()) {
      return false;
    }
    FullHttpResponse response =
        new DefaultFullHttpResponse(
            HttpVersion.HTTP_1_1,
            HttpResponseStatus.valueOf(refusal.getAsInt()),
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

  private boolean isRefused(ChannelHandlerContext context, Http2HeadersFrame frame) {
    Http2Headers headers = frame.headers();
    if (headers.method() == null) {
      return false;
    }
    // RFC 9113 section 8.3.1: a client that translates HTTP/1.1 may send Host in the place of
    // :authority, or beside it.
    List<String> hosts =
        headers.getAll(HttpHeaderNames.HOST).stream().map(CharSequence::toString).toList();
    String serverName = serverName(context.channel());
    CharSequence authority = headers.authority();
    OptionalInt refusal =
        authority != null && names.isMisdirected(authority.toString(), serverName)
            ? MISDIRECTED
            : names.refusal("GET", "/", hosts, serverName);
    if (refusal.isEmpty()) {
      return false;
    }
    Http2Headers status =
        new DefaultHttp2Headers()
            .status(HttpResponseStatus.valueOf(refusal.getAsInt()).codeAsText());
    context
        .writeAndFlush(new DefaultHttp2HeadersFrame(status, true))
        .addListener(ChannelFutureListener.CLOSE_ON_FAILURE);
    return true;
  }

  /**
   * The server name of the TLS handshake, which for HTTP/2 the connection's channel has; null
   * without TLS.
   */
  private static @Nullable String serverName(Channel channel) {
    for (Channel at = channel; at != null; at = at.parent()) {
      SslHandler tls = at.pipeline().get(SslHandler.class);
      if (tls != null) {
        return serverName(tls.engine().getSession());
      }
    }
    return null;
  }

  private static String serverName(SSLSession tls) {
    List<?> requested =
        tls instanceof ExtendedSSLSession session ? session.getRequestedServerNames() : List.of();
    return !requested.isEmpty() && requested.getFirst() instanceof SNIHostName host
        ? host.getAsciiName()
        : ServedNames.NO_SERVER_NAME;
  }
}
