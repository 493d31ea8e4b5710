package dev.peekpass.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.EpollEvents;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import org.junit.jupiter.api.Test;

class EpollRegistrationsTest {
  private static final long DATA = 0xfedc_ba98_7654_3210L;

  private final Kernel kernel = LinuxKernel.open();
  private final EpollEvents events = new EpollEvents(1);

  @Test
  void areMovedToWhatTheNumberStandsForThen() throws Exception {
    Fd socket = Fd.of(kernel.socket(Linux.AF_INET, Linux.SOCK_STREAM | Linux.SOCK_CLOEXEC, 0));
    Fd shadow = Fd.of(kernel.fcntl(socket, Linux.F_DUPFD_CLOEXEC, 3));
    Fd event = Fd.of(kernel.eventfd(1, Linux.EFD_CLOEXEC | Linux.EFD_NONBLOCK));
    Fd first = Fd.of(kernel.epollCreate1(Linux.EPOLL_CLOEXEC));
    Fd second = Fd.of(kernel.epollCreate1(Linux.EPOLL_CLOEXEC));
    Fd other = Fd.of(kernel.epollCreate1(Linux.EPOLL_CLOEXEC));
    kernel.epollCtl(first, Linux.EPOLL_CTL_ADD, socket, Linux.EPOLLIN, DATA);
    kernel.epollCtl(second, Linux.EPOLL_CTL_ADD, socket, Linux.EPOLLIN | Linux.EPOLLET, 7);

    EpollRegistrations registrations = EpollRegistrations.remove(kernel, socket);
    // An unconnected socket hangs up; nobody is told any more, though the shadow keeps it open.
    assertThat(kernel.epollWait(first, events, 0)).isZero();
    assertThat(kernel.dup3(event, socket, Linux.O_CLOEXEC)).isEqualTo(socket.number());
    registrations.restore();

    assertThat(kernel.epollWait(first, events, 0)).isOne();
    assertThat(events.data(0)).isEqualTo(DATA);
    assertThat(kernel.epollWait(second, events, 0)).isOne();
    assertThat(events.data(0)).isEqualTo(7);
    assertThat(kernel.epollWait(second, events, 0)).as("edge-triggered as before").isZero();
    assertThat(kernel.epollWait(other, events, 0)).isZero();
    for (Fd fd : new Fd[] {socket, shadow, event, first, second, other}) {
      assertThat(kernel.close(fd)).isZero();
    }
  }
}
