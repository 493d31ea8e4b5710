/**
 * Which backend a connection goes to, from the host it names, the protocols it offers and the
 * address it comes from. Pure: no I/O, no clock.
 *
 * <p>Precedence: exact name, then longest wildcard, then regular expression in file order, then
 * nothing, which the caller's fallback answers.
 */
@NullMarked
package dev.peekpass.proxy.route;

import org.jspecify.annotations.NullMarked;
