/**
 * Passes connections to the receivers of a backend over UNIX sockets, a class a hand-off method
 * (docs/protocol.md).
 */
@NullMarked
package dev.peekpass.proxy.handoff;

import org.jspecify.annotations.NullMarked;
