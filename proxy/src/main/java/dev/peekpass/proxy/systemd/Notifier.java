package dev.peekpass.proxy.systemd;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.linux.SockAddr;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells the service manager how the service is, a datagram a message (sd_notify(3)). Without
 * NOTIFY_SOCKET it does nothing. A message that cannot be sent is logged and no more: the service
 * is not worse for it. For any thread.
 */
public final class Notifier {
  private static final Logger LOG = LoggerFactory.getLogger(Notifier.class);

  private static final long NANOS_A_MICRO = 1000;

  private final Supplier<? extends Kernel> kernels;
  private static final long WARN_NANOS = 60_000_000_000L;

  private final String socket;
  private long warnedNanos = Long.MIN_VALUE / 2;

  /**
   * Makes a notifier.
   *
   * @param environment looked at for NOTIFY_SOCKET: a path, or {@code @} and an abstract name
   */
  public Notifier(Supplier<? extends Kernel> kernels, Map<String, String> environment) {
    this.kernels = kernels;
    socket = environment.getOrDefault("NOTIFY_SOCKET", "");
  }

  /** The service serves, this process being its main one. */
  public void ready(String status) {
    send("READY=1\nMAINPID=" + ProcessHandle.current().pid() + "\nSTATUS=" + status);
  }

  /** A reload begins; {@link #ready} ends it. */
  public void reloading() {
    long micros = kernels.get().nanoTime() / NANOS_A_MICRO;
    send("RELOADING=1\nMONOTONIC_USEC=" + micros + "\nSTATUS=Reloading the configuration");
  }

  /** The service stops. */
  public void stopping() {
    send("STOPPING=1\nSTATUS=Stopping");
  }

  /** Another process is the main one from now on. */
  public void handedOver(int pid) {
    send("MAINPID=" + pid + "\nSTATUS=Handed over to process " + pid);
  }

  /** The service is alive. */
  public void watchdog() {
    send("WATCHDOG=1");
  }

  private void send(String message) {
    if (socket.isEmpty()) {
      return;
    }
    Kernel kernel = kernels.get();
    SockAddr address = new SockAddr();
    if (!resolve(address)) {
      LOG.warn("NOTIFY_SOCKET={}: not the address of a UNIX socket: not notifying", socket);
      return;
    }
    int r = kernel.socket(Linux.AF_UNIX, Linux.SOCK_DGRAM | Linux.SOCK_CLOEXEC, 0);
    if (r >= 0) {
      Fd fd = Fd.of(r);
      r = kernel.connect(fd, address);
      if (r >= 0) {
        byte[] bytes = message.getBytes(StandardCharsets.UTF_8);
        NativeBuffer buffer = new NativeBuffer(bytes.length);
        buffer.bytes().put(0, bytes);
        r = kernel.send(fd, buffer, 0, bytes.length, Linux.MSG_NOSIGNAL | Linux.MSG_DONTWAIT);
      }
      kernel.close(fd);
    }
    if (r < 0 && mayWarn(kernel.nanoTime())) {
      LOG.warn("sd_notify to {}: {}: {} is not sent", socket, Errno.name(-r), firstLine(message));
    }
  }

  /** At once, then once a minute: a watchdog's message may come ten times a second. */
  private synchronized boolean mayWarn(long now) {
    if (now - warnedNanos < WARN_NANOS) {
      return false;
    }
    warnedNanos = now;
    return true;
  }

  private boolean resolve(SockAddr address) {
    int bytes = socket.getBytes(StandardCharsets.UTF_8).length;
    if (bytes > SockAddr.UNIX_PATH_MAX_BYTES) {
      return false;
    }
    if (socket.startsWith("/")) {
      address.unix(socket);
      return true;
    }
    if (socket.startsWith("@") && bytes > 1) {
      address.unixAbstract(socket.substring(1));
      return true;
    }
    return false;
  }

  private static String firstLine(String message) {
    int end = message.indexOf('\n');
    return end < 0 ? message : message.substring(0, end);
  }
}
