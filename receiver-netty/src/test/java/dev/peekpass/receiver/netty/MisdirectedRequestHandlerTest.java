package dev.peekpass.receiver.netty;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.receiver.ServedNames;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http2.DefaultHttp2DataFrame;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.DefaultHttp2HeadersFrame;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2HeadersFrame;
import org.junit.jupiter.api.Test;

class MisdirectedRequestHandlerTest {
  private static final ServedNames NAMES = ServedNames.of("shop.example");

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

  @Test
  void theTargetGoesBeforeHost() {
    send("GET http://blog.example/ HTTP/1.1\r\nHost: shop.example\r\n\r\n");
    assertThat(answer()).startsWith("HTTP/1.1 421 ");
    send("GET http://shop.example/ HTTP/1.1\r\nHost: blog.example\r\n\r\n");
    assertPassed("");
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
}
