package dev.peekpass.proxy.config;

import dev.peekpass.proxy.route.RouteTable;
import java.time.Duration;
import java.util.List;

/**
 * One entry of {@code listeners}.
 *
 * @param bind the addresses, at least one
 * @param peek whether first bytes are looked at
 * @param peekTimeout from accept to a routed connection, 100 ms to 5 minutes
 * @param maxPeekBytes how many first bytes are looked at, 1 KiB to 1 MiB
 * @param onMismatch what becomes of an HTTP/1 request whose target and Host name two hosts
 * @param deferAccept whether the kernel holds connections back until their first bytes come
 *     (TCP_DEFER_ACCEPT, tcp(7)); never with {@link PeekMode#NONE}
 * @param backlog how many connections may wait to be accepted (listen(2)), 1 to 65535
 * @param maxPending how many accepted connections may wait for further bytes, 1 to 1048576
 * @param access whose connections are let in
 * @param perClient what one client may do here
 * @param ipv6Only whether an IPv6 address takes no IPv4 connections (IPV6_V6ONLY, ipv6(7))
 * @param routes its own routes, or the configuration's when it has none
 * @param fallback its own fallback, or the configuration's when it has none
 * @param line its line in the file, from 1
 */
public record ListenerConfig(
    List<BindAddress> bind,
    PeekMode peek,
    Duration peekTimeout,
    int maxPeekBytes,
    OnMismatch onMismatch,
    boolean deferAccept,
    int backlog,
    int maxPending,
    AccessList access,
    ClientLimits perClient,
    boolean ipv6Only,
    RouteTable routes,
    Fallback fallback,
    int line) {

  /** Copies the list. */
  public ListenerConfig {
    bind = List.copyOf(bind);
  }
}
