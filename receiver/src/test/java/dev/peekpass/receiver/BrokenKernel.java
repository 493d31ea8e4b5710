package dev.peekpass.receiver;

import dev.peekpass.linux.Kernel;
import java.lang.reflect.Proxy;
import java.util.concurrent.Callable;

/** The real kernel, with something in the way of one call. */
final class BrokenKernel {
  private BrokenKernel() {}

  /** One call always fails. */
  static Kernel failing(Kernel real, String call, int errno) {
    return (Kernel)
        Proxy.newProxyInstance(
            Kernel.class.getClassLoader(),
            new Class<?>[] {Kernel.class},
            (proxy, method, arguments) ->
                method.getName().equals(call) ? (Object) (-errno) : method.invoke(real, arguments));
  }

  /** One call answers what a test says, which may make the real one or throw. */
  static Kernel answering(Kernel real, String call, Answer answer) {
    return (Kernel)
        Proxy.newProxyInstance(
            Kernel.class.getClassLoader(),
            new Class<?>[] {Kernel.class},
            (proxy, method, arguments) -> {
              Callable<Integer> inner = () -> (Integer) method.invoke(real, arguments);
              return method.getName().equals(call)
                  ? answer.to(arguments, inner)
                  : method.invoke(real, arguments);
            });
  }

  /** What a call returns. */
  @FunctionalInterface
  interface Answer {
    int to(Object[] arguments, Callable<Integer> real) throws Exception;
  }

  /** Something is done before one call. */
  static Kernel before(Kernel real, String call, Runnable action) {
    return (Kernel)
        Proxy.newProxyInstance(
            Kernel.class.getClassLoader(),
            new Class<?>[] {Kernel.class},
            (proxy, method, arguments) -> {
              if (method.getName().equals(call)) {
                action.run();
              }
              return method.invoke(real, arguments);
            });
  }
}
