package dev.peekpass.receiver;

import dev.peekpass.linux.Kernel;
import java.lang.reflect.Proxy;

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
