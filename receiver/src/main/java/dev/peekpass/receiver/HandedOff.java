package dev.peekpass.receiver;

import dev.peekpass.linux.Fd;
import java.net.InetSocketAddress;

/**
 * A connection as it was received.
 *
 * @param fd a connected TCP socket, of which nothing was read; belongs to whoever was given this
 *     object. O_NONBLOCK is as the sender left it, mostly set
 * @param inet6 whether the socket is one of AF_INET6, else AF_INET
 * @param client the address of the other end; stays right when the client leaves
 */
public record HandedOff(Fd fd, boolean inet6, InetSocketAddress client) {}
