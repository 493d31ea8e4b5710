package dev.peekpass.proxy;

import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.Message;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntUnaryOperator;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The real kernel, in which a test can hold a proxy's loop in epoll_wait until all is in place, and
 * let calls fail. While the clock stands every wait seems short, which is load to a loop.
 */
final class SteeredKernel implements Supplier<Kernel> {
  private volatile @Nullable CountDownLatch gate;
  private final AtomicBoolean held = new AtomicBoolean();
  private volatile boolean clockStands;
  private final AtomicBoolean endsEarly = new AtomicBoolean();
  private final Map<String, IntUnaryOperator> failures = new ConcurrentHashMap<>();
  private final Map<String, AtomicInteger> calls = new ConcurrentHashMap<>();

  /** Holds the next wait before it begins. */
  void hold() {
    gate = new CountDownLatch(1);
  }

  /** Whether the loop is held. */
  boolean isHeld() {
    return held.get();
  }

  /** Lets it go on. */
  void release() {
    CountDownLatch held = gate;
    if (held != null) {
      gate = null;
      held.countDown();
    }
  }

  void stopClock() {
    clockStands = true;
  }

  void startClock() {
    clockStands = false;
  }

  /**
   * Lets a call fail.
   *
   * @param failure from the number of descriptors in a message, 0 for other calls, to -errno; 0
   *     lets the call through
   */
  void fail(String call, IntUnaryOperator failure) {
    failures.put(call, failure);
  }

  /**
   * Lets the next recv that takes bytes say that it is the end, and leave them there: as recv(2)
   * does on a seqpacket socket when the last message and the end come while it looks.
   */
  void endEarly() {
    endsEarly.set(true);
  }

  int calls(String call) {
    return calls.getOrDefault(call, new AtomicInteger()).get();
  }

  /** All of them, but for the clock, which is no system call. */
  int calls() {
    return calls.entrySet().stream()
        .filter(call -> !call.getKey().equals("nanoTime"))
        .mapToInt(call -> call.getValue().get())
        .sum();
  }

  @Override
  public Kernel get() {
    Kernel real = LinuxKernel.open();
    long started = real.nanoTime();
    return (Kernel)
        Proxy.newProxyInstance(
            Kernel.class.getClassLoader(),
            new Class<?>[] {Kernel.class},
            (self, method, arguments) -> call(real, started, method, arguments));
  }

  private Object call(Kernel real, long started, Method method, @Nullable Object[] arguments)
      throws ReflectiveOperationException, InterruptedException {
    String name = method.getName();
    if (name.equals("nanoTime") && clockStands) {
      return started;
    }
    calls.computeIfAbsent(name, key -> new AtomicInteger()).incrementAndGet();
    CountDownLatch closed = gate;
    if (name.equals("epollWait") && closed != null) {
      held.set(true);
      closed.await();
      held.set(false);
    }
    IntUnaryOperator failure = failures.get(name);
    if (failure != null) {
      int descriptors =
          arguments.length > 1 && arguments[1] instanceof Message message
              ? message.descriptorCount()
              : 0;
      int r = failure.applyAsInt(descriptors);
      if (r < 0) {
        return r;
      }
    }
    if (name.equals("recv") && takesBytes(arguments) && endsEarly.getAndSet(false)) {
      return 0;
    }
    return method.invoke(real, arguments);
  }

  private static boolean takesBytes(Object[] recv) {
    return recv[recv.length - 1] instanceof Integer flags && (flags & Linux.MSG_PEEK) == 0;
  }
}
