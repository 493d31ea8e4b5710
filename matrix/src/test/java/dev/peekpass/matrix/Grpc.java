package dev.peekpass.matrix;

import io.grpc.MethodDescriptor;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;

/** The gRPC service of the matrix: messages are bare bytes. */
final class Grpc {
  static final String SERVICE = "matrix";

  /** One message in, one out: the client's address. */
  static final MethodDescriptor<byte[], byte[]> WHOAMI =
      method("whoami", MethodDescriptor.MethodType.UNARY);

  /** One message in, all chunks out. */
  static final MethodDescriptor<byte[], byte[]> BIG =
      method("big", MethodDescriptor.MethodType.SERVER_STREAMING);

  /** All chunks in, their sum out. */
  static final MethodDescriptor<byte[], byte[]> SUM =
      method("sum", MethodDescriptor.MethodType.CLIENT_STREAMING);

  private Grpc() {}

  private static MethodDescriptor<byte[], byte[]> method(
      String name, MethodDescriptor.MethodType type) {
    Bytes bytes = new Bytes();
    return MethodDescriptor.<byte[], byte[]>newBuilder(bytes, bytes)
        .setType(type)
        .setFullMethodName(MethodDescriptor.generateFullMethodName(SERVICE, name))
        .build();
  }

  private static final class Bytes implements MethodDescriptor.Marshaller<byte[]> {
    @Override
    public InputStream stream(byte[] value) {
      return new ByteArrayInputStream(value);
    }

    @Override
    public byte[] parse(InputStream stream) {
      try {
        return stream.readAllBytes();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
