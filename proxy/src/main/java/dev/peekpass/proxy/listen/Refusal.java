package dev.peekpass.proxy.listen;

import dev.peekpass.proxy.status.Outcome;

/** Why a connection is turned away as soon as it is accepted. */
enum Refusal {
  /** The listener's allow or deny keeps its address out. */
  DENIED(Outcome.DENIED),
  /** Its client has as many incomplete ones here as it may. */
  PENDING(Outcome.LIMITED),
  /** Its client has as many incomplete ones over all listeners as it may. */
  PENDING_IN_ALL(Outcome.LIMITED),
  /** Its client comes here more often than it may. */
  NEW(Outcome.LIMITED),
  /** Its client comes more often than it may, over all listeners. */
  NEW_IN_ALL(Outcome.LIMITED);

  private final Outcome outcome;

  Refusal(Outcome outcome) {
    this.outcome = outcome;
  }

  Outcome outcome() {
    return outcome;
  }
}
