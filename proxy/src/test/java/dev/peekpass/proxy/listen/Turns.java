package dev.peekpass.proxy.listen;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.turn.DescriptorCloser;
import dev.peekpass.proxy.turn.Turn;
import java.lang.reflect.Proxy;

/** A turn whose time a test sets, on a kernel that does nothing. */
final class Turns {
  private long nanos;
  final Turn turn;

  Turns() throws SystemCallException {
    Kernel kernel =
        (Kernel)
            Proxy.newProxyInstance(
                Kernel.class.getClassLoader(),
                new Class<?>[] {Kernel.class},
                (proxy, method, arguments) ->
                    method.getName().equals("nanoTime") ? (Object) nanos : (Object) 0);
    DescriptorCloser closer =
        new DescriptorCloser() {
          @Override
          public void close(Fd descriptor) {}

          @Override
          public boolean isFull() {
            return false;
          }
        };
    turn = new Turn(kernel, of -> closer);
  }

  /** The next turn begins so much later. */
  void later(long byNanos) {
    nanos += byNanos;
    turn.await();
  }
}
