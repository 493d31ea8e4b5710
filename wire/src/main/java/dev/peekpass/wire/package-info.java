/**
 * Pure parsers for the first bytes of a connection, and the codecs of the hand-off protocol.
 *
 * <p>A parser takes bytes and returns a sealed {@link dev.peekpass.wire.Parsed}. Hostile input
 * never throws, never makes a parser allocate beyond its stated limit, and never costs more than a
 * constant number of looks at each byte.
 */
@NullMarked
package dev.peekpass.wire;

import org.jspecify.annotations.NullMarked;
