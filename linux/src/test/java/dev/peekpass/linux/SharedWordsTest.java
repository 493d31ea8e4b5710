package dev.peekpass.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Memory shared through a sealed memfd, mapped twice as two processes would. */
class SharedWordsTest {
  private static final int SEALS = Linux.F_SEAL_SHRINK | Linux.F_SEAL_GROW | Linux.F_SEAL_SEAL;

  private final Kernel kernel = LinuxKernel.open();
  private Fd memory = Fd.of(0);

  @BeforeEach
  void create() {
    int r = kernel.memfdCreate(Linux.MFD_CLOEXEC | Linux.MFD_ALLOW_SEALING);
    assertThat(r).isNotNegative();
    memory = Fd.of(r);
  }

  @AfterEach
  void closeIt() {
    assertThat(kernel.close(memory)).isZero();
  }

  @Test
  void bothSidesSeeOneWordAndOneOfThemWins() {
    assertThat(kernel.ftruncate(memory, 64)).isZero();
    SharedWords one = new SharedWords(8);
    SharedWords other = new SharedWords(8);
    assertThat(kernel.mmap(memory, one)).isZero();
    assertThat(kernel.mmap(memory, other)).isZero();

    one.set(7, 41);
    assertThat(other.get(7)).isEqualTo(41);
    assertThat(other.compareAndSet(7, 41, 42)).isTrue();
    assertThat(one.compareAndSet(7, 41, 43)).isFalse();
    assertThat(one.get(7)).isEqualTo(42);
    assertThat(one.get(0)).isZero();

    assertThat(kernel.munmap(one)).isZero();
    assertThat(other.get(7)).isEqualTo(42);
    assertThat(kernel.munmap(other)).isZero();
  }

  @Test
  void afterUnmappingOrOutsideItThrowsAndDoesNotCrash() {
    assertThat(kernel.ftruncate(memory, 64)).isZero();
    SharedWords words = new SharedWords(8);
    assertThatThrownBy(() -> words.get(0)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThat(kernel.mmap(memory, words)).isZero();
    assertThatThrownBy(() -> words.get(8)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> words.get(-1)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThat(kernel.munmap(words)).isZero();
    assertThatThrownBy(() -> words.get(0)).isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void sealsKeepTheSizeAndReadBack() {
    assertThat(kernel.ftruncate(memory, 4096)).isZero();
    assertThat(kernel.fcntl(memory, Linux.F_ADD_SEALS, SEALS)).isZero();

    assertThat(kernel.fcntl(memory, Linux.F_GET_SEALS, 0) & SEALS).isEqualTo(SEALS);
    assertThat(kernel.ftruncate(memory, 0)).isEqualTo(-Errno.EPERM);
    assertThat(kernel.ftruncate(memory, 8192)).isEqualTo(-Errno.EPERM);
    assertThat(kernel.lseek(memory, 0, Linux.SEEK_END)).isEqualTo(4096);
  }

  @Test
  void whatIsNoMemoryFails() {
    int r = kernel.eventfd(0, Linux.EFD_CLOEXEC);
    Fd eventfd = Fd.of(r);
    assertThat(kernel.mmap(eventfd, new SharedWords(8))).isNegative();
    assertThat(kernel.fcntl(eventfd, Linux.F_GET_SEALS, 0)).isEqualTo(-Errno.EINVAL);
    assertThat(kernel.close(eventfd)).isZero();
    assertThat(kernel.memfdCreate(-1)).isEqualTo(-Errno.EINVAL);
  }

  @Test
  void ordinaryMemoryMayStandForIt() {
    NativeBuffer buffer = new NativeBuffer(64);
    SharedWords one = new SharedWords(8);
    SharedWords other = new SharedWords(8);
    one.mapOnto(buffer);
    other.mapOnto(buffer);
    one.set(3, 5);
    assertThat(other.compareAndSet(3, 5, 6)).isTrue();
    assertThat(one.get(3)).isEqualTo(6);
  }

  @Test
  void aSimulatedKernelMayTellOfAConnection() {
    TcpInfo info = new TcpInfo();
    info.connection(Linux.TCP_CLOSE_WAIT, 1L << 40, 7);
    assertThat(info.state()).isEqualTo(Linux.TCP_CLOSE_WAIT);
    assertThat(info.bytesReceived()).isEqualTo(1L << 40);
    assertThat(info.bytesSent()).isEqualTo(7);
  }
}
