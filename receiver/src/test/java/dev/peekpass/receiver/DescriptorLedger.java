package dev.peekpass.receiver;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.Message;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;

/**
 * Books on every descriptor that comes and goes by a kernel's calls: what is open and by which call
 * it came, and what was closed that was not open. A call of the test's choice throws.
 */
final class DescriptorLedger {
  /** What a call that fails throws: an Error, as the JVM itself may at any line. */
  static final class Thrown extends VirtualMachineError {
    private static final long serialVersionUID = 1;

    Thrown(String call) {
      super(call);
    }
  }

  private static final Set<String> OPENING =
      Set.of("socket", "accept4", "eventfd", "epollCreate1", "memfdCreate");

  private final Kernel real;
  private final Map<Integer, String> open = Collections.synchronizedMap(new HashMap<>());
  private final List<String> wrong = Collections.synchronizedList(new ArrayList<>());
  private int calls;
  private int throwing = -1;
  private boolean suspended;

  DescriptorLedger(Kernel real) {
    this.real = real;
  }

  /** The kernel whose books these are. All of one thread share them. */
  Kernel kernel() {
    return (Kernel)
        Proxy.newProxyInstance(
            Kernel.class.getClassLoader(),
            new Class<?>[] {Kernel.class},
            (proxy, method, arguments) -> call(method, arguments));
  }

  /**
   * Kernels with these books: two for the receiver, and for the threads in which it closes aside
   * others that never throw.
   */
  Supplier<Kernel> kernels() {
    AtomicInteger made = new AtomicInteger();
    return () ->
        made.getAndIncrement() < 2
            ? kernel()
            : (Kernel)
                Proxy.newProxyInstance(
                    Kernel.class.getClassLoader(),
                    new Class<?>[] {Kernel.class},
                    (proxy, method, arguments) -> book(LinuxKernel.open(), method, arguments));
  }

  /** Makes one call throw in the place of being made: the n-th from now on, counted from 0. */
  void throwAt(int n) {
    calls = 0;
    throwing = n;
  }

  /** No call throws, nor is counted, until this is called again with false. */
  void suspend(boolean on) {
    suspended = on;
  }

  /** Waits until nothing is open, some seconds at most: what closes aside takes its time. */
  Map<Integer, String> awaitNothingOpen() throws InterruptedException {
    for (int i = 0; i < 5000 && !open.isEmpty(); i++) {
      Thread.sleep(1);
    }
    return open;
  }

  /** What is open, by number. */
  Map<Integer, String> open() {
    return open;
  }

  /** A descriptor is given out: whoever has it closes it. */
  void given(Fd fd) {
    if (open.remove(fd.number()) == null) {
      wrong.add("given out, but not open: " + fd);
    }
  }

  /** What was closed without being open. */
  List<String> wrong() {
    return wrong;
  }

  private Object call(Method method, Object[] arguments) throws Throwable {
    String name = method.getName();
    // Neither fails: a descriptor is gone whatever the result, and the clock is no call.
    boolean may = !suspended && !name.equals("close") && !name.equals("nanoTime");
    if (may && calls++ == throwing) {
      throw new Thrown(name);
    }
    return book(real, method, arguments);
  }

  private Object book(Kernel kernel, Method method, Object[] arguments) throws Throwable {
    String name = method.getName();
    if (name.equals("close") && open.remove(((Fd) arguments[0]).number()) == null) {
      wrong.add("closed, but not open: " + arguments[0]);
    }
    Object result;
    try {
      result = method.invoke(kernel, arguments);
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
    if (result instanceof Integer r && r >= 0) {
      if (OPENING.contains(name)
          || (name.equals("fcntl") && arguments[1].equals(Linux.F_DUPFD_CLOEXEC))) {
        open.put(r, name);
      } else if (name.equals("recvmsg")) {
        Message message = (Message) arguments[1];
        for (int i = 0; i < message.descriptorCount(); i++) {
          open.put(message.descriptor(i).number(), name);
        }
      }
    }
    return result;
  }
}
