package dev.peekpass.proxy;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;

/**
 * Faults that a loop could have, put between it and the kernel: for the kernel it is as if the loop
 * had them. The simulation must find each.
 */
enum Mutation {
  /** Epoll goes on watching what is passed or closed. */
  FORGETS_TO_UNWATCH("while epoll watches it") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      boolean deletes =
          method.getName().equals("epollCtl") && arguments[1].equals(Linux.EPOLL_CTL_DEL);
      return deletes && nth % 7 == 0 ? 0 : pass(kernel, method, arguments);
    }
  },

  /** A descriptor is closed again. */
  CLOSES_TWICE("is used and is not open") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      int r = pass(kernel, method, arguments);
      boolean again = method.getName().equals("close") && nth % 7 == 0;
      return again ? pass(kernel, method, arguments) : r;
    }
  },

  /** The proxy's own copy stays open. */
  FORGETS_TO_CLOSE("and left open") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      boolean forgets = method.getName().equals("close") && nth % 7 == 0;
      return forgets ? 0 : pass(kernel, method, arguments);
    }
  },

  /** What is looked at is taken away. */
  CONSUMES("bytes missing") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      if (method.getName().equals("recv")) {
        arguments[4] = (int) arguments[4] & ~Linux.MSG_PEEK;
      }
      return pass(kernel, method, arguments);
    }
  },

  /** A retry that is one too many. */
  SENDS_TWICE("was passed twice") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      int r = pass(kernel, method, arguments);
      if (r > 0 && method.getName().equals("sendmsg")) {
        pass(kernel, method, arguments);
      }
      return r;
    }
  },

  /** A full queue is not noticed, and the connection closed: lost. */
  TAKES_FULL_FOR_PASSED("no receiver has it") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      int r = pass(kernel, method, arguments);
      return r == -Errno.EAGAIN && method.getName().equals("sendmsg") ? 1 : r;
    }
  },

  /** A success is not noticed. */
  TAKES_PASSED_FOR_FULL("keeps its own descriptor") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      int r = pass(kernel, method, arguments);
      boolean passed = r > 0 && method.getName().equals("sendmsg");
      return passed && nth % 7 == 0 ? -Errno.EAGAIN : r;
    }
  },

  /** A deadline is forgotten when the time to sleep is reckoned. */
  SLEEPS_TOO_LONG("the loop would sleep for") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      if (method.getName().equals("epollWait") && (int) arguments[2] > 0) {
        arguments[2] = (int) arguments[2] + 100;
      }
      return pass(kernel, method, arguments);
    }
  },

  /** Bytes that stay in place are reported again and again. */
  WATCHES_LEVEL_TRIGGERED("the loop spins") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      if (method.getName().equals("epollCtl")) {
        arguments[3] = (int) arguments[3] & ~Linux.EPOLLET;
      }
      return pass(kernel, method, arguments);
    }
  },

  /** A full channel is left to the timer. */
  WATCHES_FOR_NO_ROOM("and has room again") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      boolean modifies =
          method.getName().equals("epollCtl") && arguments[1].equals(Linux.EPOLL_CTL_MOD);
      return modifies ? 0 : pass(kernel, method, arguments);
    }
  },

  /** The branch for the descriptor limit is missing. */
  IGNORES_THE_DESCRIPTOR_LIMIT("the loop spins") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      int r = pass(kernel, method, arguments);
      return r == -Errno.EMFILE && method.getName().equals("accept4") ? -Errno.EAGAIN : r;
    }
  },

  /** The branch for an interrupted call is missing. */
  TAKES_INTERRUPTED_FOR_BROKEN("an outcome that cannot be: RESET") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      int r = pass(kernel, method, arguments);
      return r == -Errno.EINTR && method.getName().equals("recv") ? -Errno.ECONNRESET : r;
    }
  },

  /** An edge is missed, and with it the rest of a head. */
  MISSES_EDGES("an outcome that cannot be: TIMED_OUT") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      int r = pass(kernel, method, arguments);
      boolean misses = r > 0 && method.getName().equals("epollWait") && nth % 7 == 0;
      return misses ? r - 1 : r;
    }
  };

  /** A part of what the simulation says of it. */
  final String found;

  Mutation(String found) {
    this.found = found;
  }

  /**
   * Makes a call, or what the fault makes of it.
   *
   * @param nth how many calls of any kind there were before
   */
  abstract int call(Kernel kernel, Method method, Object[] arguments, int nth);

  /** A kernel that hides the fault from the loop. */
  Kernel of(Kernel kernel) {
    int[] calls = new int[1];
    return (Kernel)
        Proxy.newProxyInstance(
            Kernel.class.getClassLoader(),
            new Class<?>[] {Kernel.class},
            (proxy, method, arguments) ->
                method.getName().equals("nanoTime")
                    ? (Object) kernel.nanoTime()
                    : (Object) call(kernel, method, arguments, calls[0]++));
  }

  private static int pass(Kernel kernel, Method method, Object[] arguments) {
    try {
      return (int) method.invoke(kernel, arguments);
    } catch (InvocationTargetException e) {
      if (e.getCause() instanceof Error error) {
        throw error;
      }
      throw new AssertionError(e.getCause());
    } catch (IllegalAccessException e) {
      throw new AssertionError(e);
    }
  }
}
