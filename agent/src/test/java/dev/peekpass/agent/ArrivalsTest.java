package dev.peekpass.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.agent.Arrivals.Place;
import dev.peekpass.linux.EpollEvents;
import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.receiver.HandedOff;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class ArrivalsTest {
  private static final int CAPACITY = 2;

  private final Kernel kernel = LinuxKernel.open();
  private final EpollEvents events = new EpollEvents(1);
  private Arrivals arrivals;
  private Fd epoll;

  @BeforeEach
  void open() throws Exception {
    arrivals = new Arrivals(LinuxKernel.open(), CAPACITY);
    epoll = Fd.of(kernel.epollCreate1(Linux.EPOLL_CLOEXEC));
  }

  @AfterEach
  void close() {
    arrivals.close();
    kernel.close(epoll);
  }

  private void watch(int events) {
    assertThat(kernel.epollCtl(epoll, Linux.EPOLL_CTL_ADD, arrivals.readiness(), events, 0))
        .isZero();
  }

  private int ready() {
    return kernel.epollWait(epoll, events, 0);
  }

  private HandedOff connection() {
    int fd = kernel.socket(Linux.AF_INET, Linux.SOCK_STREAM | Linux.SOCK_CLOEXEC, 0);
    return new HandedOff(Fd.of(fd), false, new InetSocketAddress(1));
  }

  private @Nullable HandedOff poll() {
    return arrivals.poll((with, taken) -> {});
  }

  private void take() {
    HandedOff taken = Objects.requireNonNull(poll());
    assertThat(kernel.close(taken.fd())).isZero();
  }

  @Test
  void isReadableExactlyWhileThereIsSomething() {
    watch(Linux.EPOLLIN);
    assertThat(ready()).isZero();
    assertThat(poll()).isNull();
    arrivals.add(connection());
    arrivals.add(connection());
    assertThat(ready()).isOne();
    take();
    assertThat(ready()).isOne();
    take();
    assertThat(ready()).isZero();
    assertThat(poll()).isNull();
  }

  @Test
  void anEdgeComesWithEachConnection() {
    watch(Linux.EPOLLIN | Linux.EPOLLET);
    arrivals.add(connection());
    assertThat(ready()).isOne();
    assertThat(ready()).isZero();
    arrivals.add(connection());
    assertThat(ready()).isOne();
    assertThat(ready()).isZero();
    take();
    take();
  }

  @Test
  void readingCannotBlockThoughTheDescriptorIsBlocking() {
    int flags = kernel.fcntl(arrivals.readiness(), Linux.F_GETFL, 0);
    kernel.fcntl(arrivals.readiness(), Linux.F_SETFL, flags & ~Linux.O_NONBLOCK);
    arrivals.add(connection());
    take();
    assertThat(poll()).isNull();
  }

  @Test
  void whoeverReceivesWaitsForRoom() throws Exception {
    arrivals.add(connection());
    assertThat(arrivals.awaitRoom()).isTrue();
    arrivals.add(connection());
    AtomicInteger taken = new AtomicInteger();
    CompletableFuture<Integer> roomAfter =
        CompletableFuture.supplyAsync(() -> arrivals.awaitRoom() ? taken.get() : -1);
    taken.incrementAndGet();
    take();
    assertThat(roomAfter.get()).isOne();
    take();
  }

  @Test
  void whoeverAddedLearnsWhetherItWasTaken() throws Exception {
    Place first = Objects.requireNonNull(arrivals.add(connection()));
    Place second = Objects.requireNonNull(arrivals.add(connection()));
    CompletableFuture<Boolean> ofFirst =
        CompletableFuture.supplyAsync(() -> arrivals.awaitTaken(first));
    CompletableFuture<Boolean> ofSecond =
        CompletableFuture.supplyAsync(() -> arrivals.awaitTaken(second));
    assertThat(ofFirst).isNotDone();
    take();
    assertThat(ofFirst.get()).isTrue();
    assertThat(ofSecond).isNotDone();
    arrivals.close();
    assertThat(ofSecond.get()).isFalse();
  }

  @Test
  void nothingIsDoneWithAConnectionBeforeItIsTaken() {
    List<HandedOff> prepared = new ArrayList<>();
    HandedOff connection = connection();
    arrivals.add(connection);
    assertThat(prepared).isEmpty();
    assertThat(arrivals.poll((with, taken) -> prepared.add(taken))).isSameAs(connection);
    assertThat(prepared).containsExactly(connection);
    kernel.close(connection.fd());
  }

  @Test
  void closingEndsTheWaitAndClosesWhatIsLeft() throws Exception {
    HandedOff left = connection();
    arrivals.add(left);
    arrivals.add(connection());
    CompletableFuture<Boolean> room = CompletableFuture.supplyAsync(arrivals::awaitRoom);
    arrivals.close();
    assertThat(room.get()).isFalse();
    assertThat(kernel.close(left.fd())).isEqualTo(-Errno.EBADF);
    HandedOff late = connection();
    assertThat(arrivals.add(late)).isNull();
    assertThat(kernel.close(late.fd())).as("still the caller's").isZero();
  }

  @Test
  void manyThreadsTakeEachOnce() throws Exception {
    int rounds = 2000;
    AtomicInteger taken = new AtomicInteger();
    Runnable taker =
        () -> {
          while (taken.get() < rounds) {
            HandedOff connection = poll();
            if (connection != null) {
              taken.incrementAndGet();
            } else {
              Thread.onSpinWait();
            }
          }
        };
    CompletableFuture<Void> one = CompletableFuture.runAsync(taker);
    CompletableFuture<Void> other = CompletableFuture.runAsync(taker);
    for (int i = 0; i < rounds; i++) {
      assertThat(arrivals.awaitRoom()).isTrue();
      arrivals.add(new HandedOff(Fd.of(1 << 20), false, new InetSocketAddress(1)));
    }
    CompletableFuture.allOf(one, other).get();
    watch(Linux.EPOLLIN);
    assertThat(taken).hasValue(rounds);
    assertThat(ready()).as("the count is the queue's").isZero();
  }

  /** Its last copy, of which the sender has let close(2) wait for what the client does not read. */
  private HandedOff lingering(Fd[] others) throws Exception {
    Fd listener = Fd.of(kernel.socket(Linux.AF_INET, Linux.SOCK_STREAM | Linux.SOCK_CLOEXEC, 0));
    kernel.setsockopt(listener, Linux.SOL_SOCKET, Linux.SO_RCVBUF, 4096);
    SockAddr address = new SockAddr();
    address.inet(InetAddress.ofLiteral("127.0.0.1"), 0, 0);
    assertThat(kernel.bind(listener, address)).isZero();
    assertThat(kernel.listen(listener, 1)).isZero();
    assertThat(kernel.getsockname(listener, address)).isZero();
    HandedOff connection = connection();
    assertThat(kernel.connect(connection.fd(), address)).isZero();
    others[0] = listener;
    others[1] = Fd.of(kernel.accept4(listener, null, Linux.SOCK_CLOEXEC));
    NativeBuffer junk = new NativeBuffer(1 << 14);
    int r;
    do {
      r = kernel.send(connection.fd(), junk, 0, junk.capacity(), Linux.MSG_DONTWAIT);
    } while (r > 0);
    assertThat(kernel.setLinger(connection.fd(), true, 20)).isZero();
    return connection;
  }

  @Test
  void closingDoesNotWaitForOneThatLingers() throws Exception {
    Fd[] others = new Fd[2];
    assertThat(arrivals.add(lingering(others))).isNotNull();
    long began = System.nanoTime();
    arrivals.close();
    assertThat(System.nanoTime() - began).isLessThan(10_000_000_000L);
    kernel.close(others[0]);
    kernel.close(others[1]);
  }
}
