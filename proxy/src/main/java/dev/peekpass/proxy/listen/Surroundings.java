package dev.peekpass.proxy.listen;

import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.proxy.backend.Backends;
import dev.peekpass.proxy.backend.Gathering;
import dev.peekpass.proxy.config.ClientLimits;
import dev.peekpass.proxy.connection.AccessLog;
import dev.peekpass.proxy.connection.Ending;
import dev.peekpass.proxy.refusal.Refuser;
import dev.peekpass.proxy.turn.Turn;

/**
 * What the listeners of one loop and one configuration have in common.
 *
 * @param turn the loop's
 * @param ending the loop's
 * @param refuser the loop's
 * @param gathering the loop's
 * @param backends those of the configuration
 * @param accessLog where its connections are logged
 * @param buffer for peeking, as large as the largest {@code max-peek}
 * @param clients the loop's
 * @param perClient what one client may do over all listeners of the configuration
 * @param lease counts what needs the configuration
 */
public record Surroundings(
    Turn turn,
    Ending ending,
    Refuser refuser,
    Gathering gathering,
    Backends backends,
    AccessLog accessLog,
    NativeBuffer buffer,
    Clients clients,
    ClientLimits perClient,
    Lease lease) {}
