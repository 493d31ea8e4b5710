package dev.peekpass.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LinuxKernelTest {
  private final Kernel kernel = LinuxKernel.open();
  private final List<Fd> open = new ArrayList<>();
  private final NativeBuffer buffer = new NativeBuffer(4096);

  @AfterEach
  void closeAll() {
    for (Fd fd : open) {
      assertThat(kernel.close(fd)).as("close %s", fd).isZero();
    }
  }

  private Fd own(int result) {
    assertThat(result).as("a new descriptor").isNotNegative();
    Fd fd = Fd.of(result);
    open.add(fd);
    return fd;
  }

  private void disown(Fd fd) {
    assertThat(kernel.close(fd)).isZero();
    open.remove(fd);
  }

  private Fd listenTcp() throws Exception {
    Fd fd = own(kernel.socket(Linux.AF_INET, Linux.SOCK_STREAM | Linux.SOCK_CLOEXEC, 0));
    SockAddr address = new SockAddr();
    address.inet(InetAddress.ofLiteral("127.0.0.1"), 0, 0);
    assertThat(kernel.bind(fd, address)).isZero();
    assertThat(kernel.listen(fd, 16)).isZero();
    return fd;
  }

  private Fd connectTo(Fd listener) {
    SockAddr address = new SockAddr();
    assertThat(kernel.getsockname(listener, address)).isZero();
    Fd fd = own(kernel.socket(Linux.AF_INET, Linux.SOCK_STREAM | Linux.SOCK_CLOEXEC, 0));
    assertThat(kernel.connect(fd, address)).isZero();
    return fd;
  }

  private void send(Fd fd, String text) {
    byte[] raw = text.getBytes(StandardCharsets.ISO_8859_1);
    buffer.bytes().put(0, raw);
    assertThat(kernel.send(fd, buffer, 0, raw.length, Linux.MSG_NOSIGNAL)).isEqualTo(raw.length);
  }

  private String recv(Fd fd, int flags) {
    int n = kernel.recv(fd, buffer, 0, buffer.capacity(), flags);
    assertThat(n).as("recv").isNotNegative();
    byte[] raw = new byte[n];
    buffer.bytes().get(0, raw);
    return new String(raw, StandardCharsets.ISO_8859_1);
  }

  @Test
  void whoLingersNoMoreClosesAtOnce() throws Exception {
    Fd listener = listenTcp();
    assertThat(kernel.setsockopt(listener, Linux.SOL_SOCKET, Linux.SO_RCVBUF, 4096)).isZero();
    Fd client = connectTo(listener);
    assertThat(kernel.fcntl(client, Linux.F_SETFL, Linux.O_NONBLOCK)).isNotNegative();
    while (kernel.send(client, buffer, 0, buffer.capacity(), Linux.MSG_NOSIGNAL) > 0) {}
    assertThat(kernel.setLinger(client, true, 60)).isZero();
    assertThat(kernel.getsockopt(client, Linux.SOL_SOCKET, Linux.SO_LINGER)).isOne();
    assertThat(kernel.setLinger(client, false, 0)).isZero();
    assertThat(kernel.getsockopt(client, Linux.SOL_SOCKET, Linux.SO_LINGER)).isZero();
    long began = kernel.nanoTime();
    disown(client);
    assertThat(kernel.nanoTime() - began).isLessThan(30_000_000_000L);
  }

  @Test
  void noLingerOnWhatIsNoSocket() {
    Fd event = own(kernel.eventfd(0, Linux.EFD_CLOEXEC));
    assertThat(kernel.setLinger(event, false, 0)).isEqualTo(-Errno.ENOTSOCK);
  }

  @Test
  void renameat2ReplacesNothingOrExchanges(@TempDir Path dir) throws Exception {
    Path one = Files.writeString(dir.resolve("one"), "1");
    Path two = Files.writeString(dir.resolve("two \u00e4"), "2");
    assertThat(kernel.renameat2(one.toString(), two.toString(), Linux.RENAME_NOREPLACE))
        .isEqualTo(-Errno.EEXIST);
    assertThat(kernel.renameat2(one.toString(), two.toString(), Linux.RENAME_EXCHANGE)).isZero();
    assertThat(one).hasContent("2");
    assertThat(two).hasContent("1");
    Path three = dir.resolve("three");
    assertThat(kernel.renameat2(one.toString(), three.toString(), Linux.RENAME_EXCHANGE))
        .isEqualTo(-Errno.ENOENT);
    assertThat(kernel.renameat2(one.toString(), three.toString(), Linux.RENAME_NOREPLACE)).isZero();
    assertThat(one).doesNotExist();
    assertThat(three).hasContent("2");
  }

  @Test
  void dup3PutsOneDescriptorInThePlaceOfAnother() {
    Fd event = own(kernel.eventfd(1, Linux.EFD_CLOEXEC | Linux.EFD_NONBLOCK));
    Fd replaced = own(kernel.socket(Linux.AF_INET, Linux.SOCK_STREAM | Linux.SOCK_CLOEXEC, 0));

    assertThat(kernel.dup3(event, replaced, Linux.O_CLOEXEC)).isEqualTo(replaced.number());
    assertThat(kernel.getsockopt(replaced, Linux.SOL_SOCKET, Linux.SO_TYPE))
        .isEqualTo(-Errno.ENOTSOCK);
    assertThat(kernel.eventfdRead(replaced)).isZero();
    assertThat(kernel.eventfdRead(event)).isEqualTo(-Errno.EAGAIN);
  }

  @Test
  void failuresComeBackAsNegativeErrno() {
    assertThat(kernel.close(Fd.of(1 << 20))).isEqualTo(-Errno.EBADF);
    assertThat(kernel.socket(99, Linux.SOCK_STREAM, 0)).isEqualTo(-Errno.EAFNOSUPPORT);
  }

  @Test
  void acceptGivesTheConnectionAndItsPeer() throws Exception {
    Fd listener = listenTcp();
    Fd client = connectTo(listener);
    SockAddr peer = new SockAddr();
    Fd accepted = own(kernel.accept4(listener, peer, Linux.SOCK_CLOEXEC | Linux.SOCK_NONBLOCK));
    SockAddr clientName = new SockAddr();
    assertThat(kernel.getsockname(client, clientName)).isZero();

    assertThat(peer).hasToString(clientName.toString());
    assertThat(kernel.recv(accepted, buffer, 0, 1, 0)).isEqualTo(-Errno.EAGAIN);
  }

  @Test
  void peekingLeavesTheBytesInPlace() throws Exception {
    Fd listener = listenTcp();
    Fd client = connectTo(listener);
    Fd accepted = own(kernel.accept4(listener, null, Linux.SOCK_CLOEXEC));
    send(client, "hello");

    assertThat(recv(accepted, Linux.MSG_PEEK)).isEqualTo("hello");
    assertThat(kernel.siocinq(accepted)).isEqualTo(5);
    assertThat(recv(accepted, 0)).isEqualTo("hello");
    assertThat(kernel.siocinq(accepted)).isZero();
  }

  /** tcp(7): the received bytes of data are discarded, rather than passed back in the buffer. */
  @Test
  void recvWithTruncDiscardsTcpBytesUncopied() throws Exception {
    Fd listener = listenTcp();
    Fd client = connectTo(listener);
    Fd accepted = own(kernel.accept4(listener, null, Linux.SOCK_CLOEXEC));
    send(client, "hello, again");
    buffer.bytes().put(0, new byte[12]);

    assertThat(kernel.recv(accepted, buffer, 0, 7, Linux.MSG_TRUNC)).isEqualTo(7);
    byte[] raw = new byte[12];
    buffer.bytes().get(0, raw);
    assertThat(raw).containsOnly(0);
    assertThat(kernel.siocinq(accepted)).isEqualTo(5);
    assertThat(recv(accepted, 0)).isEqualTo("again");
    int flags = Linux.MSG_TRUNC | Linux.MSG_DONTWAIT;
    assertThat(kernel.recv(accepted, buffer, 0, 7, flags)).isEqualTo(-Errno.EAGAIN);
    assertThat(kernel.shutdown(client, Linux.SHUT_WR)).isZero();
    assertThat(kernel.recv(accepted, buffer, 0, 7, Linux.MSG_TRUNC)).isZero();
  }

  @Test
  void tcpInfoTellsTheQueueOfAListenerAndTheBytesOfAConnection() throws Exception {
    Fd listener = listenTcp();
    TcpInfo info = new TcpInfo();
    assertThat(kernel.acceptQueue(listener, info)).isZero();
    assertThat(info.unacked()).isZero();
    assertThat(info.state()).isEqualTo(Linux.TCP_LISTEN);
    Fd client = connectTo(listener);
    connectTo(listener);
    assertThat(kernel.acceptQueue(listener, info)).isZero();
    assertThat(info.unacked()).isEqualTo(2);
    Fd accepted = own(kernel.accept4(listener, null, Linux.SOCK_CLOEXEC));
    send(client, "0123456789");
    recv(accepted, Linux.MSG_PEEK);
    send(accepted, "abc");

    assertThat(kernel.tcpInfo(accepted, info)).isZero();
    assertThat(info.state()).isEqualTo(Linux.TCP_ESTABLISHED);
    assertThat(info.bytesReceived()).isEqualTo(10);
    assertThat(info.dataSegmentsReceived()).isOne();
    assertThat(kernel.getsockopt(accepted, Linux.SOL_SOCKET, Linux.SO_MEMINFO)).isBetween(10, 4096);
    assertThat(info.bytesSent()).isEqualTo(3);
  }

  @Test
  void siocoutqTellsWhatAUnixPeerHasNotReceived(@TempDir Path dir) throws Exception {
    SockAddr address = new SockAddr();
    address.unix(dir.resolve("s").toString());
    Fd listener = own(kernel.socket(Linux.AF_UNIX, Linux.SOCK_STREAM, 0));
    assertThat(kernel.bind(listener, address)).isZero();
    assertThat(kernel.listen(listener, 1)).isZero();
    Fd sender = own(kernel.socket(Linux.AF_UNIX, Linux.SOCK_STREAM, 0));
    assertThat(kernel.connect(sender, address)).isZero();
    Fd receiver = own(kernel.accept4(listener, null, 0));

    assertThat(kernel.siocoutq(sender)).isZero();
    send(sender, "a");
    int one = kernel.siocoutq(sender);
    send(sender, "b");
    assertThat(one).isGreaterThan(100);
    assertThat(kernel.siocoutq(sender)).isEqualTo(2 * one);
    assertThat(recv(receiver, 0)).isEqualTo("ab");
    assertThat(kernel.siocoutq(sender)).isZero();
    assertThat(kernel.siocoutq(Fd.of(1 << 20))).isEqualTo(-Errno.EBADF);
  }

  @Test
  void optionsReadBack() throws Exception {
    Fd listener = listenTcp();

    assertThat(kernel.setsockopt(listener, Linux.IPPROTO_TCP, Linux.TCP_DEFER_ACCEPT, 1)).isZero();
    assertThat(kernel.getsockopt(listener, Linux.IPPROTO_TCP, Linux.TCP_DEFER_ACCEPT)).isOne();
    assertThat(kernel.getsockopt(listener, Linux.SOL_SOCKET, Linux.SO_DOMAIN))
        .isEqualTo(Linux.AF_INET);
    assertThat(kernel.getsockopt(listener, Linux.SOL_SOCKET, Linux.SO_ACCEPTCONN)).isOne();
    assertThat(kernel.getsockopt(listener, Linux.SOL_SOCKET, 9999)).isEqualTo(-Errno.ENOPROTOOPT);
  }

  @Test
  void descriptorsTravelBesideBytes(@TempDir Path dir) throws Exception {
    Fd tcpListener = listenTcp();
    Fd client = connectTo(tcpListener);
    Fd passed = own(kernel.accept4(tcpListener, null, Linux.SOCK_CLOEXEC));
    SockAddr path = new SockAddr();
    path.unix(dir.resolve("s").toString());
    Fd unix = own(kernel.socket(Linux.AF_UNIX, Linux.SOCK_STREAM | Linux.SOCK_CLOEXEC, 0));
    assertThat(kernel.bind(unix, path)).isZero();
    assertThat(kernel.listen(unix, 4)).isZero();
    Fd out = own(kernel.socket(Linux.AF_UNIX, Linux.SOCK_STREAM | Linux.SOCK_CLOEXEC, 0));
    assertThat(kernel.connect(out, path)).isZero();
    Fd in = own(kernel.accept4(unix, null, Linux.SOCK_CLOEXEC));

    Message outgoing = new Message(1, 1);
    outgoing.payload().put(0, (byte) 'P');
    outgoing.beginSend(1);
    outgoing.add(passed);
    assertThat(kernel.sendmsg(out, outgoing, Linux.MSG_NOSIGNAL)).isOne();
    disown(passed);
    Message incoming = new Message(16, 4);
    assertThat(kernel.recvmsg(in, incoming, Linux.MSG_CMSG_CLOEXEC)).isOne();

    assertThat(incoming.payload().get(0)).isEqualTo((byte) 'P');
    assertThat(incoming.descriptorCount()).isOne();
    assertThat(incoming.descriptorsTruncated()).isFalse();
    Fd received = incoming.descriptor(0);
    open.add(received);
    send(client, "over");
    assertThat(recv(received, 0)).isEqualTo("over");
    assertThat(kernel.fcntl(received, 1 /* F_GETFD */, 0)).as("FD_CLOEXEC").isOne();
  }

  @Test
  void everyDescriptorOfAnOverfullMessageComesOut(@TempDir Path dir) throws Exception {
    Fd[] pair = unixDatagramPair(dir);
    Message outgoing = new Message(1, 20);
    outgoing.beginSend(1);
    for (int i = 0; i < 20; i++) {
      Fd fd = own(kernel.eventfd(0, Linux.EFD_CLOEXEC));
      outgoing.add(fd);
    }
    long before = openDescriptors();
    assertThat(kernel.sendmsg(pair[0], outgoing, Linux.MSG_NOSIGNAL)).isOne();
    Message small = new Message(16, 1);
    assertThat(kernel.recvmsg(pair[1], small, Linux.MSG_CMSG_CLOEXEC)).isOne();

    assertThat(small.descriptorsTruncated()).isTrue();
    assertThat(small.descriptorCount()).isGreaterThan(1);
    for (int i = 0; i < small.descriptorCount(); i++) {
      assertThat(kernel.close(small.descriptor(i))).isZero();
    }
    assertThat(openDescriptors()).isEqualTo(before);
  }

  @Test
  void credentialsComeWithADatagramThatAsksForThem(@TempDir Path dir) throws Exception {
    Fd[] pair = unixDatagramPair(dir);
    assertThat(kernel.setsockopt(pair[1], Linux.SOL_SOCKET, Linux.SO_PASSCRED, 1)).isZero();
    Message message = new Message(1, 1);
    message.beginSend(1);
    Fd passed = own(kernel.eventfd(0, Linux.EFD_CLOEXEC));
    message.add(passed);
    assertThat(kernel.sendmsg(pair[0], message, Linux.MSG_NOSIGNAL)).isOne();
    Message incoming = new Message(1, 1);
    assertThat(kernel.recvmsg(pair[1], incoming, Linux.MSG_CMSG_CLOEXEC)).isOne();

    assertThat(incoming.senderPid()).isEqualTo((int) ProcessHandle.current().pid());
    assertThat(incoming.senderUid()).isEqualTo(kernel.geteuid());
    assertThat(incoming.descriptorCount()).isOne();
    assertThat(kernel.close(incoming.descriptor(0))).isZero();
  }

  @Test
  void peerCredentialsNameTheProcess(@TempDir Path dir) throws Exception {
    SockAddr path = new SockAddr();
    path.unix(dir.resolve("c").toString());
    Fd listener = own(kernel.socket(Linux.AF_UNIX, Linux.SOCK_STREAM, 0));
    assertThat(kernel.bind(listener, path)).isZero();
    assertThat(kernel.listen(listener, 1)).isZero();
    Fd out = own(kernel.socket(Linux.AF_UNIX, Linux.SOCK_STREAM, 0));
    assertThat(kernel.connect(out, path)).isZero();
    Fd in = own(kernel.accept4(listener, null, 0));
    PeerCredentials[] peer = new PeerCredentials[1];

    assertThat(kernel.peerCredentials(in, peer)).isZero();
    assertThat(peer[0].pid()).isEqualTo((int) ProcessHandle.current().pid());
    assertThat(peer[0].uid()).isEqualTo(kernel.geteuid());
  }

  @Test
  void epollReportsTheDataThatWasGiven() {
    Fd epoll = own(kernel.epollCreate1(Linux.EPOLL_CLOEXEC));
    Fd event = own(kernel.eventfd(0, Linux.EFD_CLOEXEC | Linux.EFD_NONBLOCK));
    EpollEvents events = new EpollEvents(4);
    long data = 0x1234_5678_9abc_def0L;
    assertThat(kernel.epollCtl(epoll, Linux.EPOLL_CTL_ADD, event, Linux.EPOLLIN, data)).isZero();
    assertThat(kernel.epollWait(epoll, events, 0)).isZero();

    assertThat(kernel.eventfdWrite(event, 3)).isZero();
    assertThat(kernel.epollWait(epoll, events, -1)).isOne();
    assertThat(events.data(0)).isEqualTo(data);
    assertThat(events.events(0)).isEqualTo(Linux.EPOLLIN);

    assertThat(kernel.eventfdRead(event)).isZero();
    assertThat(kernel.eventfdRead(event)).isEqualTo(-Errno.EAGAIN);
    assertThat(kernel.epollCtl(epoll, Linux.EPOLL_CTL_DEL, event, 0, 0)).isZero();
    assertThat(kernel.epollCtl(epoll, Linux.EPOLL_CTL_DEL, event, 0, 0)).isEqualTo(-Errno.ENOENT);
  }

  @Test
  void pollTellsWhatHoldsAndGivesUpInTime() {
    Fd event = own(kernel.eventfd(0, Linux.EFD_CLOEXEC | Linux.EFD_NONBLOCK));
    assertThat(kernel.poll(event, Linux.POLLIN, 1)).isZero();
    assertThat(kernel.poll(event, Linux.POLLIN | Linux.POLLOUT, 0)).isEqualTo(Linux.POLLOUT);
    assertThat(kernel.eventfdWrite(event, 1)).isZero();
    assertThat(kernel.poll(event, Linux.POLLIN, -1)).isEqualTo(Linux.POLLIN);
  }

  @Test
  void writeTakesBytesOrSaysWhyNot() {
    Fd event = own(kernel.eventfd(0, Linux.EFD_CLOEXEC | Linux.EFD_NONBLOCK));
    buffer.bytes().order(java.nio.ByteOrder.nativeOrder()).putLong(8, -2);
    assertThat(kernel.write(event, buffer, 8, 8)).isEqualTo(8);
    assertThat(kernel.write(event, buffer, 8, 8)).isEqualTo(-Errno.EAGAIN);
    assertThat(kernel.write(event, buffer, 8, 1)).isEqualTo(-Errno.EINVAL);
  }

  @Test
  void aFilteredListenerTakesNoNewConnectionAndKeepsThoseItHas() throws Exception {
    Fd listener = listenTcp();
    Fd before = connectTo(listener);
    assertThat(kernel.attachFilter(listener, SocketFilter.noNewTcpConnections())).isZero();
    SockAddr address = new SockAddr();
    assertThat(kernel.getsockname(listener, address)).isZero();
    int type = Linux.SOCK_STREAM | Linux.SOCK_CLOEXEC | Linux.SOCK_NONBLOCK;
    Fd late = own(kernel.socket(Linux.AF_INET, type, 0));
    assertThat(kernel.connect(late, address)).isEqualTo(-Errno.EINPROGRESS);

    Fd accepted = own(kernel.accept4(listener, null, Linux.SOCK_CLOEXEC));
    send(before, "bytes pass");
    assertThat(recv(accepted, 0)).isEqualTo("bytes pass");
    assertThat(kernel.poll(late, Linux.POLLOUT, 50)).as("the late one waits").isZero();

    // Without the filter the SYN that is sent again gets through.
    assertThat(kernel.setsockopt(listener, Linux.SOL_SOCKET, Linux.SO_DETACH_FILTER, 0)).isZero();
    assertThat(kernel.poll(late, Linux.POLLOUT, 30_000)).isEqualTo(Linux.POLLOUT);
  }

  @Test
  void abstractAddressesNeedNoFile() {
    String name = "peekpass-test-" + ProcessHandle.current().pid() + "-" + System.nanoTime();
    SockAddr address = new SockAddr();
    address.unixAbstract(name);
    Fd in = own(kernel.socket(Linux.AF_UNIX, Linux.SOCK_DGRAM | Linux.SOCK_CLOEXEC, 0));
    assertThat(kernel.bind(in, address)).isZero();
    Fd out = own(kernel.socket(Linux.AF_UNIX, Linux.SOCK_DGRAM | Linux.SOCK_CLOEXEC, 0));
    assertThat(kernel.connect(out, address)).isZero();
    send(out, "READY=1");
    assertThat(recv(in, 0)).isEqualTo("READY=1");

    address.unixAbstract(name + "x");
    assertThat(kernel.connect(out, address)).isEqualTo(-Errno.ECONNREFUSED);
  }

  @Test
  void theDescriptorLimitIsKnown() {
    assertThat(kernel.getrlimit(Linux.RLIMIT_NOFILE)).isGreaterThan(16);
  }

  @Test
  void shutdownEndsOneDirection() throws Exception {
    Fd listener = listenTcp();
    Fd client = connectTo(listener);
    Fd accepted = own(kernel.accept4(listener, null, Linux.SOCK_CLOEXEC));
    assertThat(kernel.shutdown(client, Linux.SHUT_WR)).isZero();

    assertThat(recv(accepted, 0)).isEmpty();
    send(accepted, "still open");
    assertThat(recv(client, 0)).isEqualTo("still open");
  }

  private Fd[] unixDatagramPair(Path dir) {
    SockAddr path = new SockAddr();
    path.unix(dir.resolve("d").toString());
    Fd in = own(kernel.socket(Linux.AF_UNIX, Linux.SOCK_DGRAM | Linux.SOCK_CLOEXEC, 0));
    assertThat(kernel.bind(in, path)).isZero();
    Fd out = own(kernel.socket(Linux.AF_UNIX, Linux.SOCK_DGRAM | Linux.SOCK_CLOEXEC, 0));
    assertThat(kernel.connect(out, path)).isZero();
    return new Fd[] {out, in};
  }

  private static long openDescriptors() throws Exception {
    try (var files = Files.list(Path.of("/proc/self/fd"))) {
      return files.count();
    }
  }

  @Test
  void aUserWhoseNumberIsNegativeAsAnIntIsNeitherAnErrorNorRoot() throws Exception {
    Assumptions.assumeTrue(LinuxKernel.open().geteuid() == 0, "SKIPPED: only root can become it");
    int uid = (int) 3_000_000_000L;
    AtomicInteger refused = new AtomicInteger();
    AtomicInteger seen = new AtomicInteger();
    Thread thread =
        Thread.ofPlatform()
            .start(() -> {
              LinuxKernel own = LinuxKernel.open();
              refused.set(ProcessCalls.setresuid(uid));
              seen.set(own.geteuid());
            });
    thread.join();
    Assumptions.assumeTrue(refused.get() == 0, "SKIPPED: root of this namespace may not");
    assertThat(seen.get()).isEqualTo(uid);
  }
}
