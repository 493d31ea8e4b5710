/**
 * Takes connections that a proxy hands off over a UNIX socket and gives them to the application as
 * socket channels.
 *
 * <pre>{@code
 * proxy ──UNIX socket──> Intake ──Fd──> Inspection ──TCP──> ChannelAdopter ──SocketChannel──> accept()
 *                          │ peer not allowed,  │ anything else
 *                          │ taken back …       │
 *                          └──────> DescriptorRefusal: closed
 * }</pre>
 *
 * <p>{@code Intake} is the loop. It waits by {@code Watch}, lets proxies in by {@code
 * UnixConnections}, and receives by {@code PlainMessages} or {@code AcknowledgedMessages} into the
 * one {@code IncomingMessage}, which owns what came until it is given out.
 *
 * <p>{@link dev.peekpass.receiver.Receiver} is the door. Nothing here runs by itself: whoever calls
 * {@code accept} does the work, and who does not call it leaves the connections in the kernel's
 * queues, where the proxy feels them.
 */
@NullMarked
package dev.peekpass.receiver;

import org.jspecify.annotations.NullMarked;
