package dev.peekpass.fuzz;

import dev.peekpass.wire.Http2Parser;
import dev.peekpass.wire.ParserScratch;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http2.DefaultHttp2FrameReader;
import io.netty.handler.codec.http2.DefaultHttp2HeadersDecoder;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2FrameAdapter;
import io.netty.handler.codec.http2.Http2FrameReader;
import io.netty.handler.codec.http2.Http2Headers;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** HTTP/2 beside Netty's reader of frames and of HPACK. */
public final class Http2OracleTarget {
  private static final int LIMIT_BYTES = 16 * 1024;
  private static final int LIST_BYTES = 65_536;
  private static final int PREFACE_BYTES = 24;

  private static final ParserScratch SCRATCH = new ParserScratch(LIMIT_BYTES);
  private static final Http2Parser PARSER = new Http2Parser(SCRATCH);
  private static final ChannelInboundHandlerAdapter NOTHING = new ChannelInboundHandlerAdapter();
  private static final EmbeddedChannel CHANNEL = new EmbeddedChannel(NOTHING);
  private static final ChannelHandlerContext CONTEXT = CHANNEL.pipeline().context(NOTHING);

  private Http2OracleTarget() {}

  /** Takes one input, as {@link Http2HeadTarget} does. */
  public static void fuzzerTestOneInput(byte[] input) {
    byte[] flight = Http2HeadTarget.flight(input);
    PARSER.reset();
    Reading ours = Reading.of(PARSER.parse(ByteBuffer.wrap(flight), flight.length), SCRATCH);
    if (!ours.refused()) {
      ours.expectSame(byNetty(flight), "Netty");
    }
  }

  /** Takes the first request's fields. */
  private static final class Listener extends Http2FrameAdapter {
    private @Nullable Http2Headers first;

    @Override
    public void onHeadersRead(
        ChannelHandlerContext context,
        int stream,
        Http2Headers headers,
        int padding,
        boolean endOfStream) {
      if (first == null) {
        first = headers;
      }
    }

    @Override
    public void onHeadersRead(
        ChannelHandlerContext context,
        int stream,
        Http2Headers headers,
        int dependency,
        short weight,
        boolean exclusive,
        int padding,
        boolean endOfStream) {
      onHeadersRead(context, stream, headers, padding, endOfStream);
    }
  }

  static Reading byNetty(byte[] flight) {
    Listener listener = new Listener();
    ByteBuf bytes = Unpooled.wrappedBuffer(flight, PREFACE_BYTES, flight.length - PREFACE_BYTES);
    try (Http2FrameReader reader =
        new DefaultHttp2FrameReader(new DefaultHttp2HeadersDecoder(true, LIST_BYTES))) {
      while (listener.first == null) {
        int before = bytes.readerIndex();
        reader.readFrame(CONTEXT, bytes, listener);
        if (bytes.readerIndex() == before) {
          return Reading.REFUSED;
        }
      }
    } catch (Http2Exception | RuntimeException e) {
      return Reading.REFUSED;
    }
    Http2Headers headers = listener.first;
    CharSequence authority = headers.authority();
    CharSequence host = authority == null ? headers.get("host") : authority;
    return Reading.of(host == null ? null : Reading.withoutPort(host.toString()));
  }
}
