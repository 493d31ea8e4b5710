package dev.peekpass.receiver;

/**
 * What a receiver has seen since it was opened. Each number is exact; those that belong together
 * may be one event apart while another thread is at work.
 *
 * @param accepted connections given to the application
 * @param gone connections whose client had left before the application could have them
 * @param notTcp descriptors that were closed because they are not connected TCP sockets
 * @param withoutDescriptor messages that carried no descriptor
 * @param truncated messages whose descriptors could not all be received; all of them were closed,
 *     or, where they were only offered, those that did not fit were given back
 * @param refusedPeers UNIX connections or datagrams of users that may not hand off
 * @param unixConnections UNIX connections that were let in
 * @param openUnixConnections those of them that are open now
 * @param waitsForRoom how often the receiver stopped for a moment at the limit of open descriptors
 * @param takenBack connections that the proxy took back before they were claimed, to give them to
 *     others
 * @param refusedChannels UNIX connections closed because the proxy broke the protocol
 * @param unlogged messages that the logger failed to take
 */
public record Statistics(
    long accepted,
    long gone,
    long notTcp,
    long withoutDescriptor,
    long truncated,
    long refusedPeers,
    long unixConnections,
    long openUnixConnections,
    long waitsForRoom,
    long takenBack,
    long refusedChannels,
    long unlogged) {}
