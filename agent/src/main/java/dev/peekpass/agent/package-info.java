/**
 * Puts itself in the way of a server's listening sockets.
 *
 * <pre>{@code
 * Premain ──> Agent ──> OptionsReader: pairs
 *                ├────> HookClass: a class in java.base that any class can call
 *                └────> JdkRewriting, NettyRewriting: calls of bind, listen, accept … go to it
 *
 * a server's bind, listen, accept, close, options ──> Hooks ──> Captures ──> CapturedSocket
 *                                                                 │ no pair names it
 *                                                                 └─────> the JDK's own method
 *
 * CapturedSocket:  HandOffIntake (a thread) ─┐
 *                  TcpIntake (a thread, +tcp)┴─> Arrivals: a bounded queue + eventfd ──> accept()
 *                                                  the eventfd stands where the listening
 *                                                  socket's descriptor stood
 * }</pre>
 *
 * <p>What is in {@code Arrivals} is a connection with its client's address, checked: so readiness
 * is never without a connection (docs/adr/0016).
 */
@NullMarked
package dev.peekpass.agent;

import org.jspecify.annotations.NullMarked;
