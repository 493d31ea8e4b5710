package dev.peekpass.receiver.netty;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.receiver.Certificates;
import dev.peekpass.receiver.ServedNames;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.DefaultChannelId;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http2.DefaultHttp2DataFrame;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.DefaultHttp2HeadersFrame;
import io.netty.handler.codec.http2.Http2FrameStream;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2HeadersFrame;
import io.netty.handler.codec.http2.Http2StreamChannel;
import io.netty.handler.codec.http2.Http2StreamFrameToHttpObjectCodec;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MisdirectedRequestHandlerTest {
  @TempDir private Path dir;
  private static final ServedNames NAMES = ServedNames.of("shop.example");
  private static final EventLoopGroup LOOP =
      new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
  private static Channel server = new EmbeddedChannel();

  private final EmbeddedChannel http1 =
      new EmbeddedChannel(
          new HttpServerCodec(),
          new MisdirectedRequestHandler(NAMES),
          new HttpObjectAggregator(1 << 16));

  private void send(String bytes) {
    http1.writeInbound(Unpooled.copiedBuffer(bytes, US_ASCII));
  }

  private String answer() {
    StringBuilder text = new StringBuilder();
    for (ByteBuf out = http1.readOutbound(); out != null; out = http1.readOutbound()) {
      text.append(out.toString(US_ASCII));
      out.release();
    }
    return text.toString();
  }

  private void assertPassed(String body) {
    FullHttpRequest request = http1.readInbound();
    assertThat(request.content().toString(US_ASCII)).isEqualTo(body);
    request.release();
    assertThat(http1.<Object>readInbound()).isNull();
    assertThat(answer()).isEmpty();
  }

  @Test
  void aMisdirectedRequestIsDroppedWithItsBodyAndTheConnectionGoesOn() {
    send("POST / HTTP/1.1\r\nHost: shop.example:443\r\nContent-Length: 3\r\n\r\none");
    assertPassed("one");
    send("POST / HTTP/1.1\r\nHost: blog.example\r\nTransfer-Encoding: chunked\r\n\r\n");
    assertThat(answer()).startsWith("HTTP/1.1 421 ").contains("content-length: 0");
    send(
        "3\r\nGET\r\n0\r\n\r\nPOST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 3\r\n\r\ntwo");
    assertPassed("two");
    assertThat(http1.isOpen()).isTrue();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "GET / | Host: SHOP.example.:80 | 200",
        "GET / | Host: | 200",
        "GET http://shop.example/ | Host: shop.example | 200",
        "GET http://Shop.example:80/ | Host: | 200",
        "CONNECT shop.example:443 | Host: shop.example | 200",
        "GET / | Host: blog.example | 421",
        "GET / | Host: [::1] | 421",
        "GET / | Host: shop.example;Host: blog.example | 400",
        "GET / | Host: shop.example;host: shop.example | 400",
        "GET / | Host:;HOST: shop.example | 400",
        "GET http://shop.example/ | Host: blog.example | 421",
        "GET http://blog.example/ | Host: shop.example | 421",
        "GET http://blog.example/{ | Host: shop.example | 421",
        "GET http://[::1]:80/ | Host: shop.example | 421",
        "GET http://blog.example/ | Host: | 421",
        "GET http://shop.example@blog.example/ | Host: shop.example | 421",
        "GET http://shop.example:80@blog.example/ | Host: shop.example | 421",
        "GET http://blog.example\\@shop.example/ | Host: shop.example | 421",
        "CONNECT blog.example:443 | Host: shop.example | 421",
        "GET blog.example:80 | Host: shop.example | 421"
      })
  void everyHostOfARequestMustBeServed(String line, String fields, String status)
      throws IOException {
    String request = line + " HTTP/1.1\r\n" + fields.replace(";", "\r\n") + "\r\n\r\n";
    String right = "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";
    try (Socket client = new Socket(InetAddress.getLoopbackAddress(), port())) {
      client.getOutputStream().write((request + right + request + right).getBytes(US_ASCII));
      client.shutdownOutput();
      String answers = new String(client.getInputStream().readAllBytes(), US_ASCII);
      assertThat(Pattern.compile("HTTP/1.1 (\\d+)").matcher(answers).results())
          .extracting(answer -> answer.group(1))
          .containsExactly(status, "200", status, "200");
    }
  }

  private static int port() {
    return ((InetSocketAddress) server.localAddress()).getPort();
  }

  /** Answers what passes. */
  private static final class App extends SimpleChannelInboundHandler<FullHttpRequest> {
    @Override
    protected void channelRead0(ChannelHandlerContext context, FullHttpRequest request) {
      FullHttpResponse response =
          new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK);
      HttpUtil.setContentLength(response, 0);
      context.writeAndFlush(response).addListener(ChannelFutureListener.CLOSE_ON_FAILURE);
    }
  }

  @BeforeAll
  static void startServer() throws InterruptedException {
    server =
        new ServerBootstrap()
            .group(LOOP)
            .channel(NioServerSocketChannel.class)
            .childOption(ChannelOption.ALLOW_HALF_CLOSURE, true)
            .childHandler(
                new ChannelInitializer<Channel>() {
                  @Override
                  protected void initChannel(Channel channel) {
                    channel
                        .pipeline()
                        .addLast(
                            new HttpServerCodec(),
                            new MisdirectedRequestHandler(NAMES),
                            new HttpObjectAggregator(1 << 16),
                            new App(),
                            new CloseAtTheEnd());
                  }
                })
            .bind(InetAddress.getLoopbackAddress(), 0)
            .sync()
            .channel();
  }

  /** What came before the client's end has been answered by then. */
  private static final class CloseAtTheEnd extends ChannelInboundHandlerAdapter {
    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
      if (event instanceof ChannelInputShutdownEvent) {
        context.close().addListener(ChannelFutureListener.FIRE_EXCEPTION_ON_FAILURE);
      }
    }
  }

  @AfterAll
  static void stopServer() {
    server.close().syncUninterruptibly();
    assertThat(LOOP.shutdownGracefully(0, 10, TimeUnit.SECONDS).awaitUninterruptibly().isDone())
        .isTrue();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "shop.example | NONE | 0",
        "shop.example | shop.example:80 | 0",
        "NONE | Shop.example | 0",
        "'' | NONE | 0",
        "shop.example | '' | 0",
        "blog.example | NONE | 421",
        "NONE | blog.example | 421",
        "'' | blog.example | 421",
        "shop.example | blog.example | 421",
        "blog.example | shop.example | 421",
        "NONE | shop.example;shop.example | 400",
        "shop.example | shop.example;blog.example | 400"
      })
  void everyHostOfAnHttp2RequestMustBeServed(String authority, String hosts, int status) {
    EmbeddedChannel frames = new EmbeddedStream(new MisdirectedRequestHandler(NAMES));
    assertThat(ask(frames, authority, hosts)).isEqualTo(status);
    // The codec itself refuses what names two.
    if (authority.equals("NONE") != hosts.equals("NONE") && status != 400) {
      EmbeddedChannel objects =
          new EmbeddedStream(
              new Http2StreamFrameToHttpObjectCodec(true), new MisdirectedRequestHandler(NAMES));
      assertThat(ask(objects, authority, hosts)).as("behind the codec").isEqualTo(status);
    }
  }

  /** The status of the answer, or 0 when the request has passed. */
  private static int ask(EmbeddedChannel stream, String authority, String hosts) {
    Http2Headers headers = new DefaultHttp2Headers(false).method("GET").scheme("http").path("/");
    if (!authority.equals("NONE")) {
      headers.authority(authority);
    }
    for (String host : hosts.equals("NONE") ? new String[0] : hosts.split(";", -1)) {
      headers.add("host", host);
    }
    stream.writeInbound(new DefaultHttp2HeadersFrame(headers, true));
    Object passed = stream.readInbound();
    Http2HeadersFrame answer = stream.readOutbound();
    assertThat(passed == null).isEqualTo(answer != null);
    ReferenceCountUtil.release(passed);
    stream.finishAndReleaseAll();
    return answer == null ? 0 : Integer.parseInt(answer.headers().status().toString());
  }

  /** As a child channel of Http2MultiplexHandler. */
  private static final class EmbeddedStream extends EmbeddedChannel implements Http2StreamChannel {
    EmbeddedStream(ChannelHandler... handlers) {
      this(new EmbeddedChannel(), handlers);
    }

    EmbeddedStream(Channel connection, ChannelHandler... handlers) {
      super(connection, DefaultChannelId.newInstance(), true, false, handlers);
    }

    @Override
    public Http2FrameStream stream() {
      throw new UnsupportedOperationException();
    }
  }

  @Test
  void whoAsksForCloseGetsIt() {
    send("GET / HTTP/1.1\r\nHost: blog.example\r\nConnection: close\r\n\r\n");
    assertThat(answer()).startsWith("HTTP/1.1 421 ").contains("connection: close");
    assertThat(http1.isOpen()).isFalse();
  }

  @Test
  void anHttp2StreamIsAnsweredInFrames() {
    EmbeddedChannel stream = new EmbeddedChannel(new MisdirectedRequestHandler(NAMES));
    Http2Headers wrong = new DefaultHttp2Headers().method("POST").authority("blog.example");
    ByteBuf data = Unpooled.copiedBuffer("data", US_ASCII);
    stream.writeInbound(new DefaultHttp2HeadersFrame(wrong, false));
    stream.writeInbound(new DefaultHttp2DataFrame(data, true));
    assertThat(stream.<Object>readInbound()).isNull();
    assertThat(data.refCnt()).isZero();
    Http2HeadersFrame answer = stream.readOutbound();
    assertThat(answer.headers().status()).hasToString("421");
    assertThat(answer.isEndStream()).isTrue();
  }

  @Test
  void anHttp2StreamForARightNamePasses() {
    EmbeddedChannel stream = new EmbeddedChannel(new MisdirectedRequestHandler(NAMES));
    Http2Headers right = new DefaultHttp2Headers().method("GET").authority("shop.example:8443");
    Http2Headers trailers = new DefaultHttp2Headers().set("sum", "1");
    stream.writeInbound(new DefaultHttp2HeadersFrame(right, false));
    stream.writeInbound(new DefaultHttp2HeadersFrame(trailers, true));
    assertThat(stream.<Http2HeadersFrame>readInbound().headers()).isSameAs(right);
    assertThat(stream.<Http2HeadersFrame>readInbound().headers()).isSameAs(trailers);
    assertThat(stream.<Object>readOutbound()).isNull();
  }

  /** The handshake of an IP address has no server name. */
  @ParameterizedTest
  @CsvSource({
    "NONE, shop.example, 421",
    "shop.example, shop.example, 0",
    "shop.example, admin.example, 421"
  })
  void aTlsConnectionIsHeldToTheNameOfItsHandshakeIfItHadOneOrNot(
      String serverName, String host, int expected) throws Exception {
    ServedNames strict =
        ServedNames.of("shop.example", "admin.example").onlyTheNameOfTheHandshake();
    SSLContext tls = Certificates.context(dir);
    SSLEngine client = tls.createSSLEngine();
    client.setUseClientMode(true);
    if (!serverName.equals("NONE")) {
      SSLParameters parameters = client.getSSLParameters();
      parameters.setServerNames(List.of(new SNIHostName(serverName)));
      client.setSSLParameters(parameters);
    }
    SSLEngine server = tls.createSSLEngine();
    server.setUseClientMode(false);
    EmbeddedChannel connection = new EmbeddedChannel(new SslHandler(server));
    EmbeddedChannel other = new EmbeddedChannel(new SslHandler(client));
    for (int i = 0; i < 20; i++) {
      carry(other, connection);
      carry(connection, other);
    }
    assertThat(server.getSession().isValid()).isTrue();
    assertThat(server.getSession().getCipherSuite()).doesNotContain("NULL");
    assertThat(
            ask(
                new EmbeddedStream(connection, new MisdirectedRequestHandler(strict)),
                host,
                "NONE"))
        .isEqualTo(expected);
    // Its end, which nobody hears any more.
    connection.finishAndReleaseAll();
    other.finishAndReleaseAll();
  }

  private static void carry(EmbeddedChannel from, EmbeddedChannel to) {
    from.runPendingTasks();
    for (ByteBuf out = from.readOutbound(); out != null; out = from.readOutbound()) {
      to.writeInbound(out);
    }
  }

  @Test
  void withoutTlsThereIsNoHandshakeToBeHeldTo() {
    ServedNames strict = NAMES.onlyTheNameOfTheHandshake();
    EmbeddedChannel stream = new EmbeddedStream(new MisdirectedRequestHandler(strict));
    assertThat(ask(stream, "shop.example", "NONE")).isZero();
  }
}
