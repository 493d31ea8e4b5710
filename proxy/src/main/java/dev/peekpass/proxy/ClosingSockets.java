package dev.peekpass.proxy;

import dev.peekpass.proxy.listen.BoundSocket;
import dev.peekpass.proxy.listen.SocketPlan.Held;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Sockets that are not wanted any more and still take what had begun, each for its time. */
final class ClosingSockets {
  /**
   * How long: the time that the kernel holds a silent client back (TCP_DEFER_ACCEPT) and a
   * handshake over a slow network.
   */
  static final long CLOSING_NANOS =
      1_000_000_000L * BoundSocket.DEFER_ACCEPT_SECONDS + 1_500_000_000L;

  /** A socket that closes. If it is wanted again and then not, that is another one. */
  static final class Closing {
    final Held held;
    private Steps.@Nullable Cancellable end;

    private Closing(Held held) {
      this.held = held;
    }
  }

  private final Steps steps;
  private final Consumer<Closing> onEnd;
  private final List<Closing> closing = new ArrayList<>();

  /**
   * Begins with none.
   *
   * @param onEnd gets one whose time is up, and says by {@link #remove} that it has closed
   */
  ClosingSockets(Steps steps, Consumer<Closing> onEnd) {
    this.steps = steps;
    this.onEnd = onEnd;
  }

  /** Those that are there. */
  List<Held> sockets() {
    return closing.stream().map(one -> one.held).toList();
  }

  /** One more closes. */
  void add(Held held) {
    Closing one = new Closing(held);
    closing.add(one);
    one.end = steps.later(CLOSING_NANOS, () -> onEnd.accept(one));
  }

  /** Only these close from now on: others are wanted again, those that are new begin. */
  void keepOnly(List<Held> unwanted) {
    Set<Held> fresh = new LinkedHashSet<>(unwanted);
    closing.removeIf(one -> {
      boolean goesOn = fresh.remove(one.held);
      if (!goesOn && one.end != null) {
        one.end.cancel();
      }
      return !goesOn;
    });
    fresh.forEach(this::add);
  }

  /** One has closed; returns false when it was not to close any more. */
  boolean remove(Closing one) {
    return closing.remove(one);
  }
}
