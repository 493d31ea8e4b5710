package dev.peekpass.matrix;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.netty.shaded.io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ClientResponseObserver;
import java.io.DataInputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.Iterator;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;

/** gRPC; a single connection is a TLS handshake and an HTTP/2 ping (RFC 9113 section 6.7). */
final class GrpcTalk extends HttpTalk {
  private static final int PATIENCE_SECONDS = 60;
  private static final int CALLS = 50;

  private static final byte[] PREFACE_SETTINGS_PING =
      ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
              + "\0\0\0\4\0\0\0\0\0"
              + "\0\0\10\6\0\0\0\0\0"
              + "peekpass")
          .getBytes(US_ASCII);

  private static final int TYPE_PING = 6;
  private static final int FLAG_ACK = 1;

  private final String keyStore;

  GrpcTalk(String host, int port, SSLContext tls, String keyStore) {
    super(host, port, tls);
    this.keyStore = keyStore;
  }

  @Override
  public void once() throws Exception {
    try (Socket tcp = connect();
        Socket socket = secure(tcp, "h2")) {
      socket.getOutputStream().write(PREFACE_SETTINGS_PING);
      DataInputStream in = new DataInputStream(socket.getInputStream());
      int type;
      int flags;
      do {
        int length = in.readUnsignedByte() << 16 | in.readUnsignedShort();
        type = in.readUnsignedByte();
        flags = in.readUnsignedByte();
        in.skipNBytes(4L + length);
      } while (type != TYPE_PING || (flags & FLAG_ACK) == 0);
    }
  }

  @Override
  public AutoCloseable open() throws Exception {
    Socket tcp = connect();
    Socket socket = secure(tcp, "h2");
    socket.getOutputStream().write(PREFACE_SETTINGS_PING);
    assertThat(socket.getInputStream().read()).isZero();
    return socket;
  }

  @Override
  public void keepAlive() throws Exception {
    ManagedChannel channel =
        NettyChannelBuilder.forAddress(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), port))
            .overrideAuthority(host)
            .sslContext(GrpcSslContexts.forClient().trustManager(Tls.trust(keyStore)).build())
            .build();
    try {
      String first = whoami(channel);
      assertThat(first).startsWith("127.0.0.1:");
      for (int i = 0; i < CALLS; i++) {
        assertThat(whoami(channel)).as("the same connection").isEqualTo(first);
      }
      Payload.Sum sum = new Payload.Sum();
      Iterator<byte[]> chunks =
          ClientCalls.blockingServerStreamingCall(
              channel, Grpc.BIG, CallOptions.DEFAULT, new byte[0]);
      chunks.forEachRemaining(chunk -> sum.add(chunk, chunk.length));
      assertThat(sum.toString()).isEqualTo(Payload.sum());
      assertThat(send(channel.newCall(Grpc.SUM, CallOptions.DEFAULT))).isEqualTo(Payload.sum());
    } finally {
      channel.shutdown();
      assertThat(channel.awaitTermination(PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();
    }
  }

  private static String whoami(ManagedChannel channel) {
    return new String(
        ClientCalls.blockingUnaryCall(channel, Grpc.WHOAMI, CallOptions.DEFAULT, new byte[0]),
        US_ASCII);
  }

  private static String send(ClientCall<byte[], byte[]> call) throws Exception {
    CompletableFuture<byte[]> answer = new CompletableFuture<>();
    var _ =
        ClientCalls.asyncClientStreamingCall(
            call,
            new ClientResponseObserver<byte[], byte[]>() {
              private int next;

              @Override
              public void beforeStart(ClientCallStreamObserver<byte[]> out) {
                out.setOnReadyHandler(() -> {
                  while (out.isReady() && next < Payload.CHUNKS) {
                    out.onNext(Payload.chunk(next++));
                    if (next == Payload.CHUNKS) {
                      out.onCompleted();
                    }
                  }
                });
              }

              @Override
              public void onNext(byte[] value) {
                answer.complete(value);
              }

              @Override
              public void onError(Throwable cause) {
                answer.completeExceptionally(cause);
              }

              @Override
              public void onCompleted() {}
            });
    return new String(answer.get(PATIENCE_SECONDS, TimeUnit.SECONDS), US_ASCII);
  }
}
