package dev.peekpass.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.ref.Reference;
import org.jspecify.annotations.Nullable;

/**
 * The kernel that is really there.
 *
 * <p>Each method makes its call through a constant method handle of its own, which is what lets the
 * JIT compile it to a direct call.
 */
public final class LinuxKernel implements Kernel {
  private static final int SCRATCH_BYTES = 64;

  /** The C library's sigset_t. */
  private static final int SIGSET_BYTES = 128;

  private static final int SIG_UNBLOCK = 1;

  /** Where in the scratch memory a length stands, behind the value it belongs to. */
  private static final long LENGTH_AT = 48;

  private static final int UCRED_BYTES = (int) Layouts.UCRED.byteSize();
  private static final long UCRED_UID = Layouts.offset(Layouts.UCRED, "uid");

  private static final long POLLFD_FD = Layouts.offset(Layouts.POLLFD, "fd");
  private static final long POLLFD_EVENTS = Layouts.offset(Layouts.POLLFD, "events");
  private static final long POLLFD_REVENTS = Layouts.offset(Layouts.POLLFD, "revents");

  // openat(2)
  private static final long AT_FDCWD = -100;

  // mmap(2)
  private static final int PROT_READ = 1;
  private static final int PROT_WRITE = 2;
  private static final int MAP_SHARED = 1;
  private static final long MAP_FAILED = -1;

  /** What memory is called in /proc/PID/maps. */
  private static final MemorySegment MEMORY_NAME = Arena.global().allocateFrom("peekpass");

  private final MemorySegment errno;
  private final MemorySegment scratch;
  private final EpollEvents event = new EpollEvents(1);

  private LinuxKernel() {
    Arena arena = Arena.ofAuto();
    errno = arena.allocate(Linker.Option.captureStateLayout());
    scratch = arena.allocate(SCRATCH_BYTES, 8);
  }

  /**
   * Opens the way to the kernel for one thread.
   *
   * @throws IllegalStateException when the JVM may not call native code; the message names the flag
   *     that lets it
   */
  public static LinuxKernel open() {
    try {
      // Links the calls now, so that a refusal comes here and not in the middle of work.
      Libc.CLOSE.type();
      return new LinuxKernel();
    } catch (ExceptionInInitializerError e) {
      if (e.getCause() instanceof IllegalCallerException refused) {
        Module self = LinuxKernel.class.getModule();
        throw new IllegalStateException(
            "this JVM may not call native code: start java with --enable-native-access="
                + (self.isNamed() ? self.getName() : "ALL-UNNAMED"),
            refused);
      }
      throw e;
    }
  }

  @Override
  public int socket(int domain, int type, int protocol) {
    try {
      return result(
          (long)
              Libc.SOCKET.invokeExact(
                  errno, (long) domain, (long) type, (long) protocol, 0L, 0L, 0L));
    } catch (Throwable t) {
      throw broken(t);
    }
  }

  @Override
  public int bind(Fd socket, SockAddr address) {
    try {
      return result(
          (long)
              Libc.BIND.invokeExact(
                  errno,
                  (long) socket.number(),
                  address.address(),
                  (long) address.length(),
                  0L,
                  0L,
                  0L));
    } catch (Throwable t) {
      throw broken(t);
    } finally {
      Reference.reachabilityFence(address);
    }
  }

  @Override
  public int listen(Fd socket, int backlog) {
    try {
      return result(
          (long)
              Libc.LISTEN.invokeExact(
                  errno, (long) socket.number(), (long) backlog, 0L, 0L, 0L, 0L));
    } catch (Throwable t) {
      throw broken(t);
    }
  }

  @Override
  public int connect(Fd socket, SockAddr address) {
    try {
      return result(
          (long)
              Libc.CONNECT.invokeExact(
                  errno,
                  (long) socket.number(),
                  address.address(),
                  (long) address.length(),
                  0L,
                  0L,
                  0L));
    } catch (Throwable t) {
      throw broken(t);
    } finally {
      Reference.reachabilityFence(address);
    }
  }

  @Override
  public int shutdown(Fd socket, int how) {
    try {
      return result(
          (long)
              Libc.SHUTDOWN.invokeExact(errno, (long) socket.number(), (long) how, 0L, 0L, 0L, 0L));
    } catch (Throwable t) {
      throw broken(t);
    }
  }

  @Override
  public int close(Fd descriptor) {
    try {
      return result(
          (long) Libc.CLOSE.invokeExact(errno, (long) descriptor.number(), 0L, 0L, 0L, 0L, 0L));
    } catch (Throwable t) {
      throw broken(t);
    }
  }

  @Override
  public int closeRange(Fd first, Fd last) {
    MethodHandle closeRange = Libc.Rare.CLOSE_RANGE;
    if (closeRange == null) {
      return -Errno.ENOSYS;
    }
    try {
      return result(
          (long)
              closeRange.invokeExact(
                  errno, (long) first.number(), (long) last.number(), 0L, 0L, 0L, 0L));
    } catch (Throwable t) {
      throw broken(t);
    }
  }

  @Override
  public int gettid() {
    MethodHandle gettid = Libc.Rare.GETTID;
    if (gettid == null) {
      return -Errno.ENOSYS;
    }
    try {
      return result((long) gettid.invokeExact(errno, 0L, 0L, 0L, 0L, 0L, 0L));
    } catch (Throwable t) {
      throw broken(t);
    }
  }

  @Override
  public int getpid() {
    try {
      return result((long) Libc.Rare.GETPID.invokeExact(errno, 0L, 0L, 0L, 0L, 0L, 0L));
    } catch (Throwable t) {
      throw broken(t);
    }
  }

  /**
   * Links what is otherwise linked when it is first called. That takes some milliseconds, for which
   * a loop would stand still.
   */
  public static void linkForLoops() {
    Libc.WithoutErrno.link();
  }

  @Override
  public int tgkill(int process, int thread, int signal) {
    MethodHandle tgkill = Libc.Rare.TGKILL;
    if (tgkill == null) {
      return -Errno.ENOSYS;
    }
    try {
      return result(
          (long)
              tgkill.invokeExact(errno, (long) process, (long) thread, (long) signal, 0L, 0L, 0L));
    } catch (Throwable t) {
      throw broken(t);
    }
  }

  @Override
  public int catchSignal(int signal) {
    try {
      long before =
          (long)
              Libc.Rare.SIGNAL.invokeExact(
                  errno, (long) signal, Libc.Rare.ABS.address(), 0L, 0L, 0L, 0L);
      // SIG_ERR is -1; anything else is the address of what handled it before.
      return before == -1 ? result(before) : 0;
    } catch (Throwable t) {
      throw broken(t);
    }
  }

  @Override
  public int unblockSignal(int signal) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment set = arena.allocate(SIGSET_BYTES, 8);
      set.set(JAVA_INT, (signal - 1) / 32 * 4L, 1 << (signal - 1));
      return result(
          (long)
              Libc.Rare.SIGPROCMASK.invokeExact(
                  errno, (long) SIG_UNBLOCK, set.address(), 0L, 0L, 0L, 0L));
    } catch (Throwable t) {
      throw broken(t);
    }
  }

  @Override
  public int dup3(Fd from, Fd to, int flags) {
    try {
      return result(
          (long)
              Libc.DUP3.invokeExact(
                  errno, (long) from.number(), (long) to.number(), (long) flags, 0L, 0L, 0L));
    } catch (Throwable t) {
      throw broken(t);
    }
  }

  @Override
  public int epollCreate1(int flags) {
    try {
      return result((long) Libc.EPOLL_CREATE1.invokeExact(errno, (long) flags, 0L, 0L, 0L, 0L, 0L));
    } catch (Throwable t) {
      throw broken(t);
    }
  }

  @Override
  public int epollWait(Fd epoll, EpollEvents events, int timeoutMillis) {
    try {
      return result(
          (long)
              Libc.EPOLL_WAIT.invokeExact(
                  errno,
                  (long) epoll.number(),
                  events.address(),
                  (long) events.capacity(),
                  (long) timeoutMillis,
                  0L,
                  0L));
    } catch (Throwable t) {
      throw broken(t);
    } finally {
      Reference.reachabilityFence(events);
    }
  }

  @Override
  public int poll(Fd descriptor, int events, int timeoutMillis) {
    try {
      scratch.set(JAVA_INT, POLLFD_FD, descriptor.number());
      scratch.set(JAVA_SHORT, POLLFD_EVENTS, (short) events);
      scratch.set(JAVA_SHORT, POLLFD_REVENTS, (short) 0);
      int r =
          result(
              (long)
                  Libc.POLL.invokeExact(
                      errno, scratch.address(), 1L, (long) timeoutMillis, 0L, 0L, 0L));
      return r <= 0 ? r : scratch.get(JAVA_SHORT, POLLFD_REVENTS) & 0xffff;
    } catch (Throwable t) {
      throw broken(t);
    } finally {
      Reference.reachabilityFence(scratch);
    }
  }

  @Override
  public int renameat2(String from, String to, int flags) {
    MethodHandle rename = Libc.Files.RENAMEAT2;
    if (rename == null) {
      return -Errno.ENOSYS;
    }
    try (Arena arena = Arena.ofConfined()) {
      return result(
          (long)
              rename.invokeExact(
                  errno,
                  AT_FDCWD,
                  arena.allocateFrom(from).address(),
                  AT_FDCWD,
                  arena.allocateFrom(to).address(),
                  (long) flags,
                  0L));
    } catch (Throwable t) {
      throw broken(t);
    }
  }

  @Override
  public int eventfd(int initialValue, int flags) {
    try {
      return result(
          (long)
              Libc.EVENTFD.invokeExact(errno, (long) initialValue, (long) flags, 0L, 0L, 0L, 0L));
    } catch (Throwable t) {
      throw broken(t);
    }
  }

  @Override
  public int eventfdRead(Fd eventfd) {
    try {
      return result(
          (long)
              Libc.EVENTFD_READ.invokeExact(
                  errno, (long) eventfd.number(), scratch.address(), 0L, 0L, 0L, 0L));
    } catch (Throwable t) {
      throw broken(t);
    } finally {
      Reference.reachabilityFence(scratch);
    }
  }

  @Override
  public int eventfdWrite(Fd eventfd, long value) {
    try {
      return result(
          (long)
              Libc.EVENTFD_WRITE.invokeExact(
                  errno, (long) eventfd.number(), value, 0L, 0L, 0L, 0L));
    } catch (Throwable t) {
      throw broken(t);
    }
  }

  @Override
  public int geteuid() {
    try {
      // It cannot fail: what looks negative is a number from 2147483648 on.
      return (int) (long) Libc.GETEUID.invokeExact(errno, 0L, 0L, 0L, 0L, 0L, 0L);
    } catch (Throwable t) {
      throw broken(t);
    }
  }

  @Override
  public int recv(Fd socket, NativeBuffer buffer, int offset, int length, int flags) {
    try {
      return result(
          (long)
              Libc.RECV.invokeExact(
                  errno,
                  (long) socket.number(),
                  buffer.address(offset, length),
                  (long) length,
                  (long) flags,
                  0L,
                  0L));
    } catch (Throwable t) {
      throw broken(t);
    } finally {
      Reference.reachabilityFence(buffer);
    }
  }

  @Override
  public int send(Fd socket, NativeBuffer buffer, int offset, int length, int flags) {
    try {
      return result(
          (long)
              Libc.SEND.invokeExact(
                  errno,
                  (long) socket.number(),
                  buffer.address(offset, length),
                  (long) length,
                  (long) flags,
                  0L,
                  0L));
    } catch (Throwable t) {
      throw broken(t);
    } finally {
      Reference.reachabilityFence(buffer);
    }
  }

  @Override
  public int write(Fd descriptor, NativeBuffer buffer, int offset, int length) {
    try {
      return result(
          (long)
              Libc.WRITE.invokeExact(
                  errno,
                  (long) descriptor.number(),
                  buffer.address(offset, length),
                  (long) length,
                  0L,
                  0L,
                  0L));
    } catch (Throwable t) {
      throw broken(t);
    } finally {
      Reference.reachabilityFence(buffer);
    }
  }

  @Override
  public int sendmsg(Fd socket, Message message, int flags) {
    try {
      return result(
          (long)
              Libc.SENDMSG.invokeExact(
                  errno, (long) socket.number(), message.address(), (long) flags, 0L, 0L, 0L));
    } catch (Throwable t) {
      throw broken(t);
    } finally {
      Reference.reachabilityFence(message);
    }
  }

  @Override
  public int accept4(Fd listener, @Nullable SockAddr peer, int flags) {
    try {
      if (peer == null) {
        return result(
            (long)
                Libc.ACCEPT4.invokeExact(
                    errno, (long) listener.number(), 0L, 0L, (long) flags, 0L, 0L));
      }
      peer.prepareToReceive();
      return result(
          (long)
              Libc.ACCEPT4.invokeExact(
                  errno,
                  (long) listener.number(),
                  peer.address(),
                  peer.lengthAddress(),
                  (long) flags,
                  0L,
                  0L));
    } catch (Throwable t) {
      throw broken(t);
    } finally {
      Reference.reachabilityFence(peer);
    }
  }

  @Override
  public int getsockname(Fd socket, SockAddr address) {
    try {
      address.prepareToReceive();
      return result(
          (long)
              Libc.GETSOCKNAME.invokeExact(
                  errno,
                  (long) socket.number(),
                  address.address(),
                  address.lengthAddress(),
                  0L,
                  0L,
                  0L));
    } catch (Throwable t) {
      throw broken(t);
    } finally {
      Reference.reachabilityFence(address);
    }
  }

  @Override
  public int getpeername(Fd socket, SockAddr address) {
    try {
      address.prepareToReceive();
      return result(
          (long)
              Libc.GETPEERNAME.invokeExact(
                  errno,
                  (long) socket.number(),
                  address.address(),
                  address.lengthAddress(),
                  0L,
                  0L,
                  0L));
    } catch (Throwable t) {
      throw broken(t);
    } finally {
      Reference.reachabilityFence(address);
    }
  }

  @Override
  public int setsockopt(Fd socket, int level, int option, int value) {
    try {
      scratch.set(JAVA_INT, 0, value);
      return result(
          (long)
              Libc.SETSOCKOPT.invokeExact(
                  errno,
                  (long) socket.number(),
                  (long) level,
                  (long) option,
                  scratch.address(),
                  (long) Integer.BYTES,
                  0L));
    } catch (Throwable t) {
      throw broken(t);
    } finally {
      Reference.reachabilityFence(scratch);
    }
  }

  @Override
  public int attachFilter(Fd socket, SocketFilter filter) {
    try {
      return result(
          (long)
              Libc.SETSOCKOPT.invokeExact(
                  errno,
                  (long) socket.number(),
                  (long) Linux.SOL_SOCKET,
                  (long) Linux.SO_ATTACH_FILTER,
                  filter.address(),
                  Layouts.SOCK_FPROG.byteSize(),
                  0L));
    } catch (Throwable t) {
      throw broken(t);
    } finally {
      Reference.reachabilityFence(filter);
    }
  }

  @Override
  public int setLinger(Fd socket, boolean on, int seconds) {
    try {
      scratch.set(JAVA_INT, Layouts.offset(Layouts.LINGER, "l_onoff"), on ? 1 : 0);
      scratch.set(JAVA_INT, Layouts.offset(Layouts.LINGER, "l_linger"), seconds);
      return result(
          (long)
              Libc.SETSOCKOPT.invokeExact(
                  errno,
                  (long) socket.number(),
                  (long) Linux.SOL_SOCKET,
                  (long) Linux.SO_LINGER,
                  scratch.address(),
                  Layouts.LINGER.byteSize(),
                  0L));
    } catch (Throwable t) {
      throw broken(t);
    } finally {
      Reference.reachabilityFence(scratch);
    }
  }

  @Override
  public int getsockopt(Fd socket, int level, int option) {
    try {
      scratch.set(JAVA_INT, LENGTH_AT, Integer.BYTES);
      int r =
          result(
              (long)
                  Libc.GETSOCKOPT.invokeExact(
                      errno,
                      (long) socket.number(),
                      (long) level,
                      (long) option,
                      scratch.address(),
                      scratch.address() + LENGTH_AT,
                      0L));
      return r < 0 ? r : scratch.get(JAVA_INT, 0);
    } catch (Throwable t) {
      throw broken(t);
    } finally {
      Reference.reachabilityFence(scratch);
    }
  }

  @Override
  public int peerUid(Fd socket) {
    try {
      scratch.set(JAVA_INT, LENGTH_AT, UCRED_BYTES);
      int r =
          (int)
              (long)
                  Libc.WithoutErrno.GETSOCKOPT.invokeExact(
                      (long) socket.number(),
                      (long) Linux.SOL_SOCKET,
                      (long) Linux.SO_PEERCRED,
                      scratch.address(),
                      scratch.address() + LENGTH_AT,
                      0L);
      return r < 0 ? r : scratch.get(JAVA_INT, UCRED_UID);
    } catch (Throwable t) {
      throw broken(t);
    } finally {
      Reference.reachabilityFence(scratch);
    }
  }

  /** Made now and then on the hand-off path: without errno, as {@link #acceptQueue}. */
  @Override
  public int getLinger(Fd socket) {
    try {
      // The first int of struct linger is all that is asked for: l_onoff.
      scratch.set(JAVA_INT, LENGTH_AT, Integer.BYTES);
      int r =
          (int)
              (long)
                  Libc.WithoutErrno.GETSOCKOPT.invokeExact(
                      (long) socket.number(),
                      (long) Linux.SOL_SOCKET,
                      (long) Linux.SO_LINGER,
                      scratch.address(),
                      scratch.address() + LENGTH_AT,
                      0L);
      return r < 0 ? r : scratch.get(JAVA_INT, 0);
    } catch (Throwable t) {
      throw broken(t);
    } finally {
      Reference.reachabilityFence(scratch);
    }
  }

  @Override
  public int acceptQueue(Fd listener, TcpInfo info) {
    try {
      info.prepareForListener();
      return (int)
          (long)
              Libc.WithoutErrno.GETSOCKOPT.invokeExact(
                  (long) listener.number(),
                  (long) Linux.IPPROTO_TCP,
                  (long) Linux.TCP_INFO,
                  info.address(),
                  info.lengthAddress(),
                  0L);
    } catch (Throwable t) {
      throw broken(t);
    } finally {
      Reference.reachabilityFence(info);
    }
  }

  @Override
  public int tcpInfo(Fd connection, TcpInfo info) {
    try {
      info.prepare();
      return result(
          (long)
              Libc.GETSOCKOPT.invokeExact(
                  errno,
                  (long) connection.number(),
                  (long) Linux.IPPROTO_TCP,
                  (long) Linux.TCP_INFO,
                  info.address(),
                  info.lengthAddress(),
                  0L));
    } catch (Throwable t) {
      throw broken(t);
    } finally {
      Reference.reachabilityFence(info);
    }
  }

  @Override
  public int peerCredentials(Fd socket, @Nullable PeerCredentials[] credentials) {
    try {
      scratch.set(JAVA_INT, LENGTH_AT, (int) Layouts.UCRED.byteSize());
      int r =
          result(
              (long)
                  Libc.GETSOCKOPT.invokeExact(
                      errno,
                      (long) socket.number(),
                      (long) Linux.SOL_SOCKET,
                      (long) Linux.SO_PEERCRED,
                      scratch.address(),
                      scratch.address() + LENGTH_AT,
                      0L));
      if (r >= 0) {
        credentials[0] =
            new PeerCredentials(
                scratch.get(JAVA_INT, Layouts.offset(Layouts.UCRED, "pid")),
                scratch.get(JAVA_INT, Layouts.offset(Layouts.UCRED, "uid")),
                scratch.get(JAVA_INT, Layouts.offset(Layouts.UCRED, "gid")));
      }
      return r;
    } catch (Throwable t) {
      throw broken(t);
    } finally {
      Reference.reachabilityFence(scratch);
    }
  }

  @Override
  public int recvmsg(Fd socket, Message message, int flags) {
    try {
      message.beginReceive();
      int r =
          result(
              (long)
                  Libc.RECVMSG.invokeExact(
                      errno, (long) socket.number(), message.address(), (long) flags, 0L, 0L, 0L));
      if (r >= 0) {
        message.endReceive();
      }
      return r;
    } catch (Throwable t) {
      throw broken(t);
    } finally {
      Reference.reachabilityFence(message);
    }
  }

  @Override
  public int epollCtl(Fd epoll, int operation, Fd descriptor, int events, long data) {
    try {
      event.set(0, events, data);
      return result(
          (long)
              Libc.EPOLL_CTL.invokeExact(
                  errno,
                  (long) epoll.number(),
                  (long) operation,
                  (long) descriptor.number(),
                  event.address(),
                  0L,
                  0L));
    } catch (Throwable t) {
      throw broken(t);
    } finally {
      Reference.reachabilityFence(event);
    }
  }

  @Override
  public int fcntl(Fd descriptor, int command, int argument) {
    try {
      return result(
          (long)
              Libc.FCNTL.invokeExact(
                  errno, (long) descriptor.number(), (long) command, (long) argument, 0L, 0L, 0L));
    } catch (Throwable t) {
      throw broken(t);
    }
  }

  @Override
  public int siocinq(Fd socket) {
    try {
      int r =
          result(
              (long)
                  Libc.IOCTL.invokeExact(
                      errno,
                      (long) socket.number(),
                      (long) Linux.SIOCINQ,
                      scratch.address(),
                      0L,
                      0L,
                      0L));
      return r < 0 ? r : scratch.get(JAVA_INT, 0);
    } catch (Throwable t) {
      throw broken(t);
    } finally {
      Reference.reachabilityFence(scratch);
    }
  }

  @Override
  public int siocoutq(Fd socket) {
    try {
      int r =
          result(
              (long)
                  Libc.IOCTL.invokeExact(
                      errno,
                      (long) socket.number(),
                      (long) Linux.SIOCOUTQ,
                      scratch.address(),
                      0L,
                      0L,
                      0L));
      return r < 0 ? r : scratch.get(JAVA_INT, 0);
    } catch (Throwable t) {
      throw broken(t);
    } finally {
      Reference.reachabilityFence(scratch);
    }
  }

  @Override
  public int memfdCreate(int flags) {
    try {
      return result(
          (long)
              Libc.Memory.MEMFD_CREATE.invokeExact(
                  errno, MEMORY_NAME.address(), (long) flags, 0L, 0L, 0L, 0L));
    } catch (Throwable t) {
      throw broken(t);
    }
  }

  @Override
  public int ftruncate(Fd file, int lengthBytes) {
    try {
      return result(
          (long)
              Libc.Memory.FTRUNCATE.invokeExact(
                  errno, (long) file.number(), (long) lengthBytes, 0L, 0L, 0L, 0L));
    } catch (Throwable t) {
      throw broken(t);
    }
  }

  @Override
  public int lseek(Fd file, int offset, int whence) {
    try {
      long at =
          (long)
              Libc.Memory.LSEEK.invokeExact(
                  errno, (long) file.number(), (long) offset, (long) whence, 0L, 0L, 0L);
      return at < 0 ? result(at) : (int) Math.min(at, Integer.MAX_VALUE);
    } catch (Throwable t) {
      throw broken(t);
    }
  }

  @Override
  public int mmap(Fd file, SharedWords words) {
    try {
      long at =
          (long)
              Libc.Memory.MMAP.invokeExact(
                  errno,
                  0L,
                  (long) words.bytes(),
                  (long) (PROT_READ | PROT_WRITE),
                  (long) MAP_SHARED,
                  (long) file.number(),
                  0L);
      if (at == MAP_FAILED) {
        return result(at);
      }
      words.mapped(at);
      return 0;
    } catch (Throwable t) {
      throw broken(t);
    } finally {
      Reference.reachabilityFence(words);
    }
  }

  @Override
  public int munmap(SharedWords words) {
    try {
      long at = words.unmap();
      return result(
          (long) Libc.Memory.MUNMAP.invokeExact(errno, at, (long) words.bytes(), 0L, 0L, 0L, 0L));
    } catch (Throwable t) {
      throw broken(t);
    } finally {
      Reference.reachabilityFence(words);
    }
  }

  @Override
  public int getrlimit(int resource) {
    try {
      int r =
          result(
              (long)
                  Libc.GETRLIMIT.invokeExact(
                      errno, (long) resource, scratch.address(), 0L, 0L, 0L, 0L));
      if (r < 0) {
        return r;
      }
      // RLIM_INFINITY is all ones: as an unsigned number it is large, as a signed one negative.
      long soft = scratch.get(JAVA_LONG, Layouts.offset(Layouts.RLIMIT, "rlim_cur"));
      return soft < 0 || soft > Integer.MAX_VALUE ? Integer.MAX_VALUE : (int) soft;
    } catch (Throwable t) {
      throw broken(t);
    } finally {
      Reference.reachabilityFence(scratch);
    }
  }

  @Override
  public long nanoTime() {
    return System.nanoTime();
  }

  /** Turns C's -1 and errno into {@code -errno}. */
  private int result(long returned) {
    int value = (int) returned;
    return value >= 0 ? value : -errno.get(JAVA_INT, Libc.ERRNO_OFFSET);
  }

  /** A downcall throws only if this class is wrong. */
  private static AssertionError broken(Throwable t) {
    return new AssertionError("a system call could not be made", t);
  }
}
