package dev.peekpass.receiver;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.Message;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.linux.SockAddr;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The sending side: clients' TCP connections, accepted and handed off as the proxy does. */
public final class TestProxy implements AutoCloseable {
  public final Kernel kernel = LinuxKernel.open();
  private final List<Fd> open = new ArrayList<>();
  private final List<Socket> clients = new ArrayList<>();
  private final Message message = new Message(64, Linux.SCM_MAX_FD);
  private final NativeBuffer zeros = new NativeBuffer(1 << 12);

  /** A client and the other end of its connection, as accepted by a proxy. */
  public record Accepted(Socket client, Fd fd) {}

  public Fd own(int result) {
    assertThat(result).as("a new descriptor, or -errno").isNotNegative();
    Fd fd = Fd.of(result);
    open.add(fd);
    return fd;
  }

  /** Somebody else closes it. */
  public Fd give(Fd fd) {
    assertThat(open.remove(fd)).isTrue();
    return fd;
  }

  public void close(Fd fd) {
    assertThat(open.remove(fd)).isTrue();
    assertThat(kernel.close(fd)).isZero();
  }

  /** Listens on a loopback address at a free port. */
  public Fd listen(String address) {
    InetAddress ip = InetAddress.ofLiteral(address);
    int family = ip.getAddress().length == 4 ? Linux.AF_INET : Linux.AF_INET6;
    Fd listener = own(kernel.socket(family, Linux.SOCK_STREAM | Linux.SOCK_CLOEXEC, 0));
    SockAddr name = new SockAddr();
    name.inet(ip, 0, 0);
    if (family == Linux.AF_INET6) {
      assertThat(kernel.setsockopt(listener, Linux.IPPROTO_IPV6, Linux.IPV6_V6ONLY, 0)).isZero();
    }
    assertThat(kernel.bind(listener, name)).isZero();
    assertThat(kernel.listen(listener, 512)).isZero();
    return listener;
  }

  public int port(Fd listener) {
    SockAddr name = new SockAddr();
    assertThat(kernel.getsockname(listener, name)).isZero();
    return name.port();
  }

  /** A client from 127.0.0.1. */
  public Accepted client() throws IOException {
    Fd listener = listen("127.0.0.1");
    Accepted accepted = client(listener, "127.0.0.1");
    close(listener);
    return accepted;
  }

  public Accepted client(Fd listener, String to) throws IOException {
    Socket client = new Socket();
    client.connect(new InetSocketAddress(InetAddress.ofLiteral(to), port(listener)));
    clients.add(client);
    return new Accepted(
        client, own(kernel.accept4(listener, null, Linux.SOCK_NONBLOCK | Linux.SOCK_CLOEXEC)));
  }

  /** Connects to a receiver. */
  public Fd connect(Path path, SocketType type) {
    Fd fd = own(kernel.socket(Linux.AF_UNIX, type.number() | Linux.SOCK_CLOEXEC, 0));
    SockAddr address = new SockAddr();
    address.unix(path.toString());
    assertThat(kernel.connect(fd, address)).isZero();
    return fd;
  }

  /** Sends one message of one byte; blocks while the receiver's queue is full. */
  public void send(Fd to, Fd... descriptors) {
    sendBytes(to, 1, descriptors);
  }

  public void sendBytes(Fd to, int bytes, Fd... descriptors) {
    message.beginSend(bytes);
    for (Fd fd : descriptors) {
      message.add(fd);
    }
    int r;
    do {
      r = kernel.sendmsg(to, message, Linux.MSG_NOSIGNAL);
    } while (r == -Errno.ETOOMANYREFS);
    assertThat(r).isEqualTo(bytes);
  }

  public void sendPlain(Fd to, int bytes) {
    assertThat(kernel.send(to, zeros, 0, bytes, Linux.MSG_NOSIGNAL)).isEqualTo(bytes);
  }

  /** Hands a client off by itself, and keeps nothing of it but the client. */
  public void once(Path path, Accepted accepted) {
    Fd to = connect(path, SocketType.STREAM);
    pass(to, accepted);
    close(to);
  }

  /** Sends the client's connection and closes this side's copy. */
  public void pass(Fd to, Accepted accepted) {
    send(to, accepted.fd());
    close(accepted.fd());
  }

  @Override
  public void close() throws IOException {
    for (Fd fd : open) {
      kernel.close(fd);
    }
    for (Socket client : clients) {
      client.close();
    }
  }
}
