package dev.peekpass.matrix;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.netty.shaded.io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.shaded.io.netty.channel.epoll.Epoll;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContextBuilder;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.net.InetSocketAddress;
import java.util.Objects;

/** gRPC on its own shaded copy of Netty, native epoll and TLS: HOST PORT KEYSTORE. */
final class GrpcServer {
  private static final Context.Key<InetSocketAddress> CLIENT = Context.key("client");

  private GrpcServer() {}

  public static void main(String[] arguments) throws Exception {
    if (!Epoll.isAvailable()) {
      throw new IllegalStateException("no native transport", Epoll.unavailabilityCause());
    }
    ServerServiceDefinition service =
        ServerServiceDefinition.builder(Grpc.SERVICE)
            .addMethod(Grpc.WHOAMI, ServerCalls.asyncUnaryCall(GrpcServer::whoami))
            .addMethod(Grpc.BIG, ServerCalls.asyncServerStreamingCall(GrpcServer::big))
            .addMethod(Grpc.SUM, ServerCalls.asyncClientStreamingCall(GrpcServer::sum))
            .build();
    NettyServerBuilder.forAddress(
            new InetSocketAddress(arguments[0], Integer.parseInt(arguments[1])))
        .sslContext(
            GrpcSslContexts.configure(SslContextBuilder.forServer(Tls.keys(arguments[2]))).build())
        .intercept(new ClientAddress())
        .addService(service)
        .build()
        .start();
    System.out.println("ready");
    Thread.currentThread().join();
  }

  private static void whoami(byte[] request, StreamObserver<byte[]> response) {
    InetSocketAddress client = Objects.requireNonNull(CLIENT.get());
    response.onNext(
        (client.getAddress().getHostAddress() + ":" + client.getPort()).getBytes(US_ASCII));
    response.onCompleted();
  }

  private static void big(byte[] request, StreamObserver<byte[]> response) {
    ServerCallStreamObserver<byte[]> out = (ServerCallStreamObserver<byte[]>) response;
    int[] next = {0};
    out.setOnReadyHandler(() -> {
      while (out.isReady() && next[0] < Payload.CHUNKS) {
        out.onNext(Payload.chunk(next[0]++));
        if (next[0] == Payload.CHUNKS) {
          out.onCompleted();
        }
      }
    });
  }

  private static StreamObserver<byte[]> sum(StreamObserver<byte[]> response) {
    Payload.Sum sum = new Payload.Sum();
    return new StreamObserver<>() {
      @Override
      public void onNext(byte[] chunk) {
        sum.add(chunk, chunk.length);
      }

      @Override
      public void onError(Throwable cause) {
        // The client has left.
      }

      @Override
      public void onCompleted() {
        response.onNext(sum.toString().getBytes(US_ASCII));
        response.onCompleted();
      }
    };
  }

  private static final class ClientAddress implements ServerInterceptor {
    @Override
    public <Q, R> ServerCall.Listener<Q> interceptCall(
        ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
      InetSocketAddress client =
          (InetSocketAddress) call.getAttributes().get(io.grpc.Grpc.TRANSPORT_ATTR_REMOTE_ADDR);
      return Contexts.interceptCall(
          Context.current().withValue(CLIENT, client), call, headers, next);
    }
  }
}
