package dev.peekpass.matrix;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.peekpass.receiver.ServedNames;
import dev.peekpass.receiver.netty.HandOffServerChannel;
import dev.peekpass.receiver.netty.MisdirectedRequestHandler;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http2.Http2FrameCodecBuilder;
import io.netty.handler.codec.http2.Http2MultiplexHandler;
import io.netty.handler.codec.http2.Http2StreamFrameToHttpObjectCodec;
import io.netty.handler.ssl.ApplicationProtocolConfig;
import io.netty.handler.ssl.ApplicationProtocolNames;
import io.netty.handler.ssl.ApplicationProtocolNegotiationHandler;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;

/** The adapter with TLS, HTTP/1.1 and HTTP/2, for one name: PATH KEYSTORE NAME... */
@SuppressWarnings("FutureReturnValueIgnored")
final class NettyTlsServer {
  private NettyTlsServer() {}

  public static void main(String[] arguments) throws Exception {
    SslContext tls =
        SslContextBuilder.forServer(Tls.keys(arguments[1]))
            .sslProvider(SslProvider.JDK)
            .applicationProtocolConfig(
                new ApplicationProtocolConfig(
                    ApplicationProtocolConfig.Protocol.ALPN,
                    ApplicationProtocolConfig.SelectorFailureBehavior.NO_ADVERTISE,
                    ApplicationProtocolConfig.SelectedListenerFailureBehavior.ACCEPT,
                    ApplicationProtocolNames.HTTP_2,
                    ApplicationProtocolNames.HTTP_1_1))
            .build();
    ServedNames names =
        ServedNames.of(java.util.Arrays.copyOfRange(arguments, 2, arguments.length))
            .onlyTheNameOfTheHandshake();
    EventLoopGroup loops = new MultiThreadIoEventLoopGroup(2, EpollIoHandler.newFactory());
    new ServerBootstrap()
        .group(loops)
        .channel(HandOffServerChannel.class)
        .childHandler(
            new ChannelInitializer<>() {
              @Override
              protected void initChannel(Channel child) {
                child.pipeline().addLast(tls.newHandler(child.alloc()), new Negotiation(names));
              }
            })
        .bind(new DomainSocketAddress(arguments[0]))
        .sync();
    System.out.println("ready");
  }

  private static final class Negotiation extends ApplicationProtocolNegotiationHandler {
    private final ServedNames names;

    Negotiation(ServedNames names) {
      super(ApplicationProtocolNames.HTTP_1_1);
      this.names = names;
    }

    @Override
    protected void configurePipeline(ChannelHandlerContext context, String protocol) {
      ChannelPipeline pipeline = context.pipeline();
      if (protocol.equals(ApplicationProtocolNames.HTTP_2)) {
        pipeline.addLast(
            Http2FrameCodecBuilder.forServer().build(),
            new Http2MultiplexHandler(
                new ChannelInitializer<>() {
                  @Override
                  protected void initChannel(Channel stream) {
                    stream
                        .pipeline()
                        .addLast(
                            new MisdirectedRequestHandler(names),
                            new Http2StreamFrameToHttpObjectCodec(true),
                            new HttpObjectAggregator(1 << 16),
                            new Hello());
                  }
                }));
      } else {
        pipeline.addLast(
            new HttpServerCodec(),
            new MisdirectedRequestHandler(names),
            new HttpObjectAggregator(1 << 16),
            new Hello());
      }
    }
  }

  private static final class Hello extends SimpleChannelInboundHandler<FullHttpRequest> {
    @Override
    protected void channelRead0(ChannelHandlerContext context, FullHttpRequest request) {
      DefaultFullHttpResponse response =
          new DefaultFullHttpResponse(
              HttpVersion.HTTP_1_1,
              HttpResponseStatus.OK,
              Unpooled.copiedBuffer("hello", US_ASCII));
      HttpUtil.setContentLength(response, 5);
      context.writeAndFlush(response);
    }
  }
}
