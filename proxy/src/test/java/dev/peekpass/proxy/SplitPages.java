package dev.peekpass.proxy;

import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.linux.SharedWords;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.HashMap;
import java.util.Map;

/**
 * A kernel whose shared pages are shared one way: a receiver sees what was offered, and nothing of
 * what the proxy takes back, nor the proxy what was claimed.
 */
final class SplitPages {
  /** A page as the receiver has it, and what was copied to it last. */
  private static final class Page {
    final SharedWords shared;
    final long[] copied;

    Page(SharedWords shared) {
      this.shared = shared;
      copied = new long[shared.count()];
    }
  }

  private final Kernel kernel;
  private final Map<SharedWords, Page> pages = new HashMap<>();

  SplitPages(Kernel kernel) {
    this.kernel = kernel;
  }

  Kernel kernel() {
    return (Kernel)
        Proxy.newProxyInstance(
            Kernel.class.getClassLoader(),
            new Class<?>[] {Kernel.class},
            (proxy, method, arguments) ->
                method.getName().equals("nanoTime")
                    ? (Object) kernel.nanoTime()
                    : (Object) call(method, arguments));
  }

  private int call(Method method, Object[] arguments) {
    switch (method.getName()) {
      case "mmap" -> {
        SharedWords own = (SharedWords) arguments[1];
        SharedWords shared = new SharedWords(own.count());
        arguments[1] = shared;
        int r = Mutation.pass(kernel, method, arguments);
        if (r == 0) {
          own.mapOnto(new NativeBuffer(own.bytes()));
          pages.put(own, new Page(shared));
        }
        return r;
      }
      case "munmap" -> {
        SharedWords own = (SharedWords) arguments[0];
        Page page = pages.remove(own);
        own.unmap();
        return page == null ? 0 : kernel.munmap(page.shared);
      }
      case "sendmsg" -> pages.forEach(SplitPages::copyOffers);
      default -> {}
    }
    return Mutation.pass(kernel, method, arguments);
  }

  private static void copyOffers(SharedWords own, Page page) {
    for (int i = 0; i < own.count(); i++) {
      long word = own.get(i);
      boolean offered = (word & 3) == 1;
      if (offered && word != page.copied[i]) {
        page.copied[i] = word;
        page.shared.set(i, word);
      }
    }
  }
}
