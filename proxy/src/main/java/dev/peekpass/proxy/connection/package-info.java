/**
 * A connection from accept to its one end: where it stands, and what is remembered and logged of
 * it.
 */
@NullMarked
package dev.peekpass.proxy.connection;

import org.jspecify.annotations.NullMarked;
