package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.EpollEvents;
import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.Message;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.linux.SharedWords;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.linux.TcpInfo;
import dev.peekpass.simulation.Client;
import dev.peekpass.simulation.Faults;
import dev.peekpass.simulation.Manners;
import dev.peekpass.simulation.Receiver;
import dev.peekpass.simulation.SimulatedKernel;
import dev.peekpass.simulation.UnixPaths;
import dev.peekpass.simulation.World;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The simulated kernel answers as the real one does: the same steps on both must leave the same
 * notes.
 */
class KernelModelTest {
  private static final long MILLI = 1_000_000;
  private static final int ENDS = Linux.EPOLLIN | Linux.EPOLLRDHUP | Linux.EPOLLET;
  private static final int CLOEXEC = Linux.SOCK_CLOEXEC;
  private static final int PATIENCE_MILLIS = 30_000;

  @TempDir private Path dir;

  /** One process, with a client and a receiver that do as they are told, and what it noted. */
  private abstract static class Rig {
    final Kernel kernel;
    final List<String> notes = new ArrayList<>();
    final Fd epoll;
    private final List<Fd> senders = new ArrayList<>();
    private final String path;
    private final EpollEvents events = new EpollEvents(8);
    private final NativeBuffer buffer = new NativeBuffer(64);
    private final Message message = new Message(1, 1);
    private final TcpInfo info = new TcpInfo();

    Rig(Kernel kernel, String path) {
      this.kernel = kernel;
      this.path = path;
      epoll = Fd.of(kernel.epollCreate1(Linux.EPOLL_CLOEXEC));
    }

    /** The client's connection. */
    abstract Fd accepted();

    /** A connection to pass. */
    abstract Fd another();

    abstract void clientSends(String text);

    abstract void clientEnds();

    abstract void clientBreaksOff();

    abstract void bindStream(int backlog);

    abstract void bindDatagram();

    abstract void bindSeqpacket(int backlog);

    abstract void receiverSays(int length);

    abstract void receiverShutsReading();

    abstract void receive();

    abstract void receiverEnds();

    /** Closes what a test leaves open. */
    void close() {
      kernel.close(epoll);
      senders.forEach(kernel::close);
    }

    final void note(String what, int result) {
      notes.add(what + " " + (result < 0 ? Errno.name(-result) : Integer.toString(result)));
    }

    final void watch(int operation, Fd fd, int interest) {
      note("epoll_ctl", kernel.epollCtl(epoll, operation, fd, interest, 7));
    }

    /** Notes what epoll has now. */
    final int look() {
      return look(0);
    }

    /** Notes what epoll has, once it has something. */
    final void await() {
      look(PATIENCE_MILLIS);
    }

    private int look(int timeoutMillis) {
      int n = kernel.epollWait(epoll, events, timeoutMillis);
      note("epoll_wait", n);
      for (int i = 0; i < n; i++) {
        notes.add("  events " + Integer.toHexString(events.events(i)));
      }
      return n;
    }

    final void read(Fd fd, int flags) {
      note("recv", kernel.recv(fd, buffer, 0, 64, flags | Linux.MSG_DONTWAIT));
    }

    /** Notes a connection's state, as far as anybody asks for it. */
    final void state(Fd fd) {
      note("tcp_info", kernel.tcpInfo(fd, info));
      boolean open = info.state() == Linux.TCP_ESTABLISHED;
      boolean known = info.state() == Linux.TCP_CLOSE_WAIT || info.state() == Linux.TCP_CLOSE;
      note("  state", open || known ? info.state() : 0);
    }

    /** Notes what the kernel counts of a connection. */
    final void count(Fd fd) {
      state(fd);
      note("  received", (int) info.bytesReceived());
      note("  sent", (int) info.bytesSent());
      note("  unread", kernel.siocinq(fd));
    }

    final Fd sender(int type) {
      int flags = Linux.SOCK_NONBLOCK | Linux.SOCK_CLOEXEC;
      Fd sender = Fd.of(kernel.socket(Linux.AF_UNIX, type | flags, 0));
      senders.add(sender);
      return sender;
    }

    final void connect(Fd fd) {
      SockAddr address = new SockAddr();
      address.unix(path);
      // As the proxy does; kernels before 6.16 do not know it.
      kernel.setsockopt(fd, Linux.SOL_SOCKET, Linux.SO_PASSRIGHTS, 0);
      note("connect", kernel.connect(fd, address));
    }

    final int send(Fd over) {
      message.beginSend(1);
      message.add(another());
      return kernel.sendmsg(over, message, Linux.MSG_DONTWAIT | Linux.MSG_NOSIGNAL);
    }

    /** Sends until the way is full; returns how many went. */
    final int fill(Fd over) {
      int sent = 0;
      int r = send(over);
      while (r > 0) {
        sent++;
        r = send(over);
      }
      note("sendmsg", r);
      return sent;
    }
  }

  /** On the real kernel. */
  private static final class RealRig extends Rig {
    private final Fd client;
    private final Fd accepted;
    private final SockAddr unix = new SockAddr();
    private final Message received = new Message(8, 4);
    private final NativeBuffer text = new NativeBuffer(64);
    private final List<Fd> channels = new ArrayList<>();
    private Fd bound = Fd.of(0);
    private boolean listens;
    private boolean isBound;
    private boolean clientGone;

    RealRig(Path path) {
      super(LinuxKernel.open(), path.toString());
      unix.unix(path.toString());
      SockAddr address = new SockAddr();
      address.inet(0, 0xffff_7f00_0001L, 0);
      Fd listener = Fd.of(kernel.socket(Linux.AF_INET, Linux.SOCK_STREAM | CLOEXEC, 0));
      assertThat(kernel.bind(listener, address)).isZero();
      assertThat(kernel.listen(listener, 8)).isZero();
      assertThat(kernel.getsockname(listener, address)).isZero();
      client = Fd.of(kernel.socket(Linux.AF_INET, Linux.SOCK_STREAM | CLOEXEC, 0));
      assertThat(kernel.connect(client, address)).isZero();
      accepted = Fd.of(kernel.accept4(listener, null, Linux.SOCK_NONBLOCK | CLOEXEC));
      kernel.close(listener);
    }

    @Override
    Fd accepted() {
      return accepted;
    }

    @Override
    Fd another() {
      return accepted;
    }

    @Override
    void clientSends(String bytes) {
      text.bytes().put(0, bytes.getBytes(StandardCharsets.US_ASCII));
      assertThat(kernel.send(client, text, 0, bytes.length(), 0)).isEqualTo(bytes.length());
    }

    @Override
    void clientEnds() {
      assertThat(kernel.shutdown(client, Linux.SHUT_WR)).isZero();
    }

    @Override
    void clientBreaksOff() {
      // close(2) with unread bytes resets.
      assertThat(kernel.send(accepted, text, 0, 1, 0)).isOne();
      Tests.await("the byte is there", () -> kernel.siocinq(client) == 1);
      kernel.close(client);
      clientGone = true;
    }

    private void bind(int type) {
      bound = Fd.of(kernel.socket(Linux.AF_UNIX, type | Linux.SOCK_NONBLOCK | CLOEXEC, 0));
      assertThat(kernel.bind(bound, unix)).isZero();
      isBound = true;
    }

    @Override
    void bindStream(int backlog) {
      listens = true;
      bind(Linux.SOCK_STREAM);
      assertThat(kernel.listen(bound, backlog)).isZero();
    }

    @Override
    void bindSeqpacket(int backlog) {
      listens = true;
      bind(Linux.SOCK_SEQPACKET);
      assertThat(kernel.listen(bound, backlog)).isZero();
    }

    @Override
    void receiverSays(int length) {
      assertThat(kernel.send(channel(), text, 0, length, Linux.MSG_NOSIGNAL)).isEqualTo(length);
    }

    @Override
    void receiverShutsReading() {
      assertThat(kernel.shutdown(channel(), Linux.SHUT_RD)).isZero();
    }

    private Fd channel() {
      if (channels.isEmpty()) {
        channels.add(Fd.of(kernel.accept4(bound, null, Linux.SOCK_NONBLOCK | CLOEXEC)));
      }
      return channels.getFirst();
    }

    @Override
    void bindDatagram() {
      bind(Linux.SOCK_DGRAM);
    }

    @Override
    void receive() {
      Fd from = listens ? channel() : bound;
      assertThat(kernel.recvmsg(from, received, Linux.MSG_CMSG_CLOEXEC)).isOne();
      kernel.close(received.descriptor(0));
    }

    @Override
    void receiverEnds() {
      channels.forEach(kernel::close);
      channels.clear();
      kernel.close(bound);
      isBound = false;
    }

    @Override
    void close() {
      super.close();
      if (isBound) {
        receiverEnds();
      }
      kernel.close(accepted);
      if (!clientGone) {
        kernel.close(client);
      }
    }
  }

  /** On the simulated kernel. */
  private static final class SimulatedRig extends Rig {
    private final World world;
    private final SimulatedKernel simulated;
    private final Fd listener;
    private final Client client;
    private final Fd accepted;
    private final Receiver receiver;
    private final int channelCapacity;
    private int clients;

    static SimulatedRig make(int channelCapacity) {
      World world = new World(1, false);
      UnixPaths paths = new UnixPaths();
      SimulatedKernel kernel =
          new SimulatedKernel(
              world, paths, new Faults(world.chance()), new SimulatedKernel.Conditions());
      return new SimulatedRig(world, paths, kernel, channelCapacity);
    }

    private SimulatedRig(
        World world, UnixPaths paths, SimulatedKernel kernel, int channelCapacity) {
      super(kernel, "/receiver");
      this.world = world;
      this.channelCapacity = channelCapacity;
      simulated = kernel;
      listener =
          Fd.of(kernel.socket(Linux.AF_INET, Linux.SOCK_STREAM | Linux.SOCK_NONBLOCK | CLOEXEC, 0));
      kernel.listen(listener, 8);
      client = client();
      accepted = accept();
      receiver = new Receiver(world, paths, "/receiver", 0, 1, MILLI);
      receiver.freeze();
    }

    private Client client() {
      Client made =
          new Client(world, clients++, simulated.listener(listener), new byte[64], "bytes");
      made.connect();
      return made;
    }

    private Fd accept() {
      return Fd.of(kernel.accept4(listener, null, Linux.SOCK_NONBLOCK | CLOEXEC));
    }

    @Override
    Fd accepted() {
      return accepted;
    }

    @Override
    Fd another() {
      client();
      return accept();
    }

    @Override
    void clientSends(String text) {
      client.send(text.length());
    }

    @Override
    void clientEnds() {
      client.fin();
    }

    @Override
    void clientBreaksOff() {
      client.reset();
    }

    @Override
    void bindStream(int backlog) {
      receiver.startStream(backlog, channelCapacity);
    }

    @Override
    void bindDatagram() {
      receiver.startDatagram(channelCapacity);
    }

    @Override
    void bindSeqpacket(int backlog) {
      receiver.startAcknowledged(backlog, channelCapacity, new Manners());
    }

    @Override
    void receiverSays(int length) {
      receiver.say(new byte[length]);
    }

    @Override
    void receiverShutsReading() {
      receiver.shutReading();
    }

    @Override
    void receive() {
      assertThat(receiver.receiveMessage()).isTrue();
    }

    @Override
    void receiverEnds() {
      receiver.die(false);
    }
  }

  private void compare(Consumer<Rig> steps) {
    compare(steps, 1);
  }

  private void compare(Consumer<Rig> steps, int channelCapacity) {
    RealRig real = new RealRig(dir.resolve("receiver"));
    try {
      steps.accept(real);
    } finally {
      real.close();
    }
    SimulatedRig simulated = SimulatedRig.make(channelCapacity);
    steps.accept(simulated);

    assertThat(simulated.notes).isEqualTo(real.notes);
  }

  @Test
  void edgesOfAConnection() {
    compare(rig -> {
      Fd fd = rig.accepted();
      rig.watch(Linux.EPOLL_CTL_ADD, fd, ENDS);
      rig.watch(Linux.EPOLL_CTL_ADD, fd, ENDS);
      rig.look();
      rig.read(fd, Linux.MSG_PEEK);
      rig.clientSends("hello");
      rig.await();
      rig.look();
      rig.read(fd, Linux.MSG_PEEK);
      rig.read(fd, Linux.MSG_PEEK);
      rig.look();
      rig.clientSends("more");
      rig.await();
      rig.read(fd, Linux.MSG_PEEK);
      rig.watch(Linux.EPOLL_CTL_MOD, fd, ENDS | Linux.EPOLLOUT);
      rig.look();
      rig.look();
      rig.clientEnds();
      rig.await();
      rig.look();
      rig.read(fd, 0);
      rig.read(fd, 0);
      rig.read(fd, Linux.MSG_PEEK);
      rig.watch(Linux.EPOLL_CTL_DEL, fd, 0);
      rig.watch(Linux.EPOLL_CTL_DEL, fd, 0);
      rig.watch(Linux.EPOLL_CTL_MOD, fd, 0);
      rig.watch(Linux.EPOLL_CTL_ADD, fd, ENDS);
      rig.look();
    });
  }

  @Test
  void levelsOfAConnection() {
    compare(rig -> {
      Fd fd = rig.accepted();
      rig.clientSends("hello");
      rig.watch(Linux.EPOLL_CTL_ADD, fd, Linux.EPOLLIN);
      rig.await();
      rig.look();
      rig.read(fd, Linux.MSG_PEEK);
      rig.look();
      rig.read(fd, 0);
      rig.look();
    });
  }

  @Test
  void aResetLeavesWhatCameBeforeIt() {
    compare(rig -> {
      Fd fd = rig.accepted();
      rig.watch(Linux.EPOLL_CTL_ADD, fd, ENDS);
      rig.clientSends("hello");
      rig.await();
      rig.clientBreaksOff();
      rig.await();
      rig.look();
      rig.read(fd, Linux.MSG_PEEK);
      rig.read(fd, 0);
      rig.read(fd, Linux.MSG_PEEK);
      rig.read(fd, Linux.MSG_PEEK);
      rig.watch(Linux.EPOLL_CTL_MOD, fd, ENDS);
      rig.look();
      rig.note("shutdown", rig.kernel.shutdown(fd, Linux.SHUT_WR));
    });
  }

  @Test
  void whatConnectSays() {
    compare(rig -> {
      rig.connect(rig.sender(Linux.SOCK_STREAM));
      rig.bindDatagram();
      rig.connect(rig.sender(Linux.SOCK_STREAM));
      rig.connect(rig.sender(Linux.SOCK_DGRAM));
      rig.receiverEnds();
      rig.connect(rig.sender(Linux.SOCK_DGRAM));
      rig.connect(rig.sender(Linux.SOCK_STREAM));
    });
  }

  @Test
  void aBacklogThatIsFull() {
    compare(rig -> {
      rig.bindStream(1);
      for (int i = 0; i < 4; i++) {
        rig.connect(rig.sender(Linux.SOCK_STREAM));
      }
      rig.connect(rig.sender(Linux.SOCK_DGRAM));
    });
  }

  @Test
  void aDatagramQueueFillsAndEmpties() {
    RealRig probe = new RealRig(dir.resolve("probe"));
    probe.bindDatagram();
    Fd over = probe.sender(Linux.SOCK_DGRAM);
    probe.connect(over);
    int fits = probe.fill(over); // one more than net.unix.max_dgram_qlen was when it was made
    probe.close();
    compare(
        rig -> {
          rig.bindDatagram();
          Fd sender = rig.sender(Linux.SOCK_DGRAM);
          rig.note("sendmsg", rig.send(sender));
          rig.connect(sender);
          rig.watch(Linux.EPOLL_CTL_ADD, sender, ENDS);
          rig.look();
          rig.note("filled", rig.fill(sender));
          rig.watch(Linux.EPOLL_CTL_MOD, sender, ENDS | Linux.EPOLLOUT);
          rig.look();
          rig.receive();
          rig.look();
          rig.look();
          rig.note("filled", rig.fill(sender));
          rig.receive();
          rig.receive();
          rig.look();
          rig.note("filled", rig.fill(sender));
          rig.receiverEnds();
          rig.look();
          rig.note("sendmsg", rig.send(sender));
          rig.note("sendmsg", rig.send(sender));
        },
        fits - 1);
  }

  @Test
  void aStreamFillsEmptiesAndEnds() {
    RealRig probe = new RealRig(dir.resolve("probe"));
    probe.bindStream(1);
    Fd over = probe.sender(Linux.SOCK_STREAM);
    probe.connect(over);
    int capacity = probe.fill(over);
    probe.close();
    compare(
        rig -> {
          rig.bindStream(1);
          Fd sender = rig.sender(Linux.SOCK_STREAM);
          rig.connect(sender);
          rig.watch(Linux.EPOLL_CTL_ADD, sender, ENDS);
          rig.look();
          rig.note("filled", rig.fill(sender));
          rig.watch(Linux.EPOLL_CTL_MOD, sender, ENDS | Linux.EPOLLOUT);
          int received = 0;
          while (rig.look() == 0) {
            rig.receive();
            received++;
          }
          rig.note("received", received);
          rig.note("sendmsg", rig.send(sender));
          rig.receiverEnds();
          rig.look();
          rig.look();
          rig.note("sendmsg", rig.send(sender));
          rig.note("sendmsg", rig.send(sender));
          rig.watch(Linux.EPOLL_CTL_MOD, sender, ENDS);
          rig.look();
        },
        capacity);
  }

  @Test
  void aStreamThatEndsWithNothingUnread() {
    compare(
        rig -> {
          rig.bindStream(1);
          Fd sender = rig.sender(Linux.SOCK_STREAM);
          rig.connect(sender);
          rig.watch(Linux.EPOLL_CTL_ADD, sender, ENDS);
          rig.note("sendmsg", rig.send(sender));
          rig.receive();
          rig.receiverEnds();
          rig.look();
          rig.note("sendmsg", rig.send(sender));
        },
        10);
  }

  /** What tells the proxy that the first message has been received. */
  @Test
  void aStreamTellsOfEachMessageThatIsReceived() {
    compare(
        rig -> {
          rig.bindStream(1);
          Fd sender = rig.sender(Linux.SOCK_STREAM);
          rig.connect(sender);
          rig.watch(Linux.EPOLL_CTL_ADD, sender, ENDS | Linux.EPOLLOUT);
          rig.look();
          rig.note("sendmsg", rig.send(sender));
          rig.look();
          rig.note("unreceived", rig.kernel.siocoutq(sender) > 1 ? 1 : 0);
          rig.receive();
          rig.look();
          rig.note("unreceived", rig.kernel.siocoutq(sender) > 1 ? 1 : 0);
          rig.note("error", rig.kernel.getsockopt(sender, Linux.SOL_SOCKET, Linux.SO_ERROR));
        },
        10);
  }

  /** What tells the proxy that nobody has the first message. */
  @Test
  void aStreamThatEndsWithAMessageUnread() {
    compare(
        rig -> {
          rig.bindStream(1);
          Fd sender = rig.sender(Linux.SOCK_STREAM);
          rig.connect(sender);
          rig.watch(Linux.EPOLL_CTL_ADD, sender, ENDS | Linux.EPOLLOUT);
          rig.look();
          rig.note("sendmsg", rig.send(sender));
          rig.note("sendmsg", rig.send(sender));
          rig.receive();
          rig.receiverEnds();
          rig.look();
          rig.note("unreceived", rig.kernel.siocoutq(sender) > 1 ? 1 : 0);
          rig.note("error", rig.kernel.getsockopt(sender, Linux.SOL_SOCKET, Linux.SO_ERROR));
        },
        10);
  }

  @Test
  void aStreamThatWasNeverAccepted() {
    compare(
        rig -> {
          rig.bindStream(1);
          Fd sender = rig.sender(Linux.SOCK_STREAM);
          rig.connect(sender);
          rig.watch(Linux.EPOLL_CTL_ADD, sender, ENDS);
          rig.receiverEnds();
          rig.look();
          rig.note("sendmsg", rig.send(sender));
          rig.note("sendmsg", rig.send(sender));
        },
        10);
  }

  /** A seqpacket socket that is connected and watched as a channel watches it. */
  private static Fd channel(Rig rig) {
    rig.bindSeqpacket(1);
    Fd sender = rig.sender(Linux.SOCK_SEQPACKET);
    rig.connect(sender);
    rig.watch(Linux.EPOLL_CTL_ADD, sender, Linux.EPOLLIN | Linux.EPOLLRDHUP);
    rig.look();
    return sender;
  }

  @Test
  void whatConnectSaysOfASeqpacketSocket() {
    compare(rig -> {
      rig.connect(rig.sender(Linux.SOCK_SEQPACKET));
      rig.bindSeqpacket(1);
      for (int i = 0; i < 3; i++) {
        rig.connect(rig.sender(Linux.SOCK_SEQPACKET));
      }
      rig.connect(rig.sender(Linux.SOCK_STREAM));
      rig.connect(rig.sender(Linux.SOCK_DGRAM));
      Fd unconnected = rig.sender(Linux.SOCK_SEQPACKET);
      rig.note("sendmsg", rig.send(unconnected));
      rig.read(unconnected, 0);
      rig.receiverEnds();
      rig.connect(rig.sender(Linux.SOCK_SEQPACKET));
    });
  }

  @Test
  void seqpacketsKeepTheirBoundaries() {
    compare(
        rig -> {
          Fd sender = channel(rig);
          rig.read(sender, 0);
          rig.receiverSays(24);
          rig.receiverSays(16);
          rig.look();
          rig.read(sender, 0);
          rig.look();
          rig.read(sender, 0);
          rig.look();
          rig.read(sender, 0);
        },
        10);
  }

  @Test
  void aSeqpacketSocketThatEndsWithMessagesUnread() {
    compare(
        rig -> {
          Fd sender = channel(rig);
          rig.receiverSays(24);
          rig.note("sendmsg", rig.send(sender));
          rig.receiverEnds();
          rig.look();
          rig.read(sender, 0);
          rig.look();
          rig.read(sender, 0);
          rig.read(sender, 0);
          rig.read(sender, 0);
          rig.look();
          rig.note("sendmsg", rig.send(sender));
        },
        10);
  }

  @Test
  void aSeqpacketSocketThatEndsWithMessagesUnreadAndIsSentTo() {
    compare(
        rig -> {
          Fd sender = channel(rig);
          rig.receiverSays(24);
          rig.note("sendmsg", rig.send(sender));
          rig.receiverEnds();
          rig.note("sendmsg", rig.send(sender));
          rig.note("sendmsg", rig.send(sender));
          rig.look();
          rig.read(sender, 0);
          rig.read(sender, 0);
        },
        10);
  }

  @Test
  void aSeqpacketSocketThatEndsWithNothingUnread() {
    compare(
        rig -> {
          Fd sender = channel(rig);
          rig.note("sendmsg", rig.send(sender));
          rig.receive();
          rig.receiverSays(24);
          rig.receiverEnds();
          rig.look();
          rig.note("sendmsg", rig.send(sender));
          rig.read(sender, 0);
          rig.read(sender, 0);
          rig.look();
        },
        10);
  }

  @Test
  void aSeqpacketSocketThatIsShutDownForReading() {
    compare(
        rig -> {
          Fd sender = channel(rig);
          rig.note("sendmsg", rig.send(sender));
          rig.receiverShutsReading();
          rig.look();
          rig.note("sendmsg", rig.send(sender));
          rig.read(sender, 0);
          rig.receiverSays(24);
          rig.look();
          rig.read(sender, 0);
          rig.receive();
          rig.receiverEnds();
          rig.look();
          rig.read(sender, 0);
        },
        10);
  }

  @Test
  void aSeqpacketSocketThatWasNeverAccepted() {
    compare(
        rig -> {
          Fd sender = channel(rig);
          rig.receiverEnds();
          rig.look();
          rig.read(sender, 0);
          rig.read(sender, 0);
          rig.look();
        },
        10);
  }

  @Test
  void aSeqpacketSocketFillsAndEmpties() {
    RealRig probe = new RealRig(dir.resolve("probe"));
    probe.bindSeqpacket(1);
    Fd over = probe.sender(Linux.SOCK_SEQPACKET);
    probe.connect(over);
    int capacity = probe.fill(over);
    probe.close();
    compare(
        rig -> {
          Fd sender = channel(rig);
          rig.note("filled", rig.fill(sender));
          rig.watch(Linux.EPOLL_CTL_MOD, sender, Linux.EPOLLIN | Linux.EPOLLRDHUP | Linux.EPOLLOUT);
          int received = 0;
          while (rig.look() == 0) {
            rig.receive();
            received++;
          }
          rig.note("received", received);
          rig.look();
          rig.note("sendmsg", rig.send(sender));
          rig.receiverEnds();
          rig.look();
          rig.read(sender, 0);
          rig.look();
          rig.read(sender, 0);
        },
        capacity);
  }

  @Test
  void whatIsCountedOfAConnection() {
    compare(rig -> {
      Fd fd = rig.accepted();
      rig.count(fd);
      rig.watch(Linux.EPOLL_CTL_ADD, fd, ENDS);
      rig.clientSends("hello");
      rig.await();
      rig.count(fd);
      rig.read(fd, Linux.MSG_PEEK);
      rig.count(fd);
      rig.clientEnds();
      rig.await();
      rig.count(fd);
      rig.read(fd, 0);
      rig.count(fd);
    });
  }

  @Test
  void whatIsCountedOfAConnectionThatWasWrittenTo() {
    compare(rig -> {
      Fd fd = rig.accepted();
      NativeBuffer bytes = new NativeBuffer(8);
      rig.note("send", rig.kernel.send(fd, bytes, 0, 8, Linux.MSG_DONTWAIT | Linux.MSG_NOSIGNAL));
      rig.count(fd);
      rig.note("shutdown", rig.kernel.shutdown(fd, Linux.SHUT_WR));
      rig.count(fd);
    });
  }

  @Test
  void theStateOfAConnectionThatWasReset() {
    compare(rig -> {
      Fd fd = rig.accepted();
      rig.watch(Linux.EPOLL_CTL_ADD, fd, ENDS);
      rig.clientSends("hello");
      rig.await();
      rig.clientBreaksOff();
      rig.await();
      rig.state(fd);
    });
  }

  @Test
  void aSealedPageIsSharedByAllWhoMapIt() {
    compare(rig -> {
      Kernel kernel = rig.kernel;
      Fd memory = Fd.of(kernel.memfdCreate(Linux.MFD_CLOEXEC | Linux.MFD_ALLOW_SEALING));
      SharedWords one = new SharedWords(8);
      SharedWords other = new SharedWords(8);
      rig.note("ftruncate", kernel.ftruncate(memory, one.bytes()));
      int seals = Linux.F_SEAL_SHRINK | Linux.F_SEAL_GROW | Linux.F_SEAL_SEAL;
      rig.note("fcntl", kernel.fcntl(memory, Linux.F_ADD_SEALS, seals));
      rig.note("fcntl", kernel.fcntl(memory, Linux.F_ADD_SEALS, seals));
      rig.note("mmap", kernel.mmap(memory, one));
      rig.note("mmap", kernel.mmap(memory, other));
      rig.note("close", kernel.close(memory));
      one.set(3, 5);
      rig.note("taken", other.compareAndSet(3, 5, 6) ? 1 : 0);
      rig.note("taken", one.compareAndSet(3, 5, 7) ? 1 : 0);
      rig.note("word", (int) one.get(3));
      rig.note("munmap", kernel.munmap(one));
      rig.note("word", (int) other.get(3));
      rig.note("munmap", kernel.munmap(other));
    });
  }
}
