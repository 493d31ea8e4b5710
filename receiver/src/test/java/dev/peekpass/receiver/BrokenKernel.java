package dev.peekpass.receiver;

import dev.peekpass.linux.Kernel;
import java.lang.reflect.Proxy;

/** The real kernel, except that one call always fails. */
final class BrokenKernel {
  private BrokenKernel() {}

  static Kernel failing(Kernel real, String call, int errno) {
    return (Kernel)
        Proxy.newProxyInstance(
            Kernel.class.getClassLoader(),
            new Class<?>[] {Kernel.class},
            (proxy, method, arguments) ->
                method.getName().equals(call) ? (Object) (-errno) : method.invoke(real, arguments));
  }
}
