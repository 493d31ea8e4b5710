/** Asks receivers: whether they let this user in, and whether they do their work. */
@NullMarked
package dev.peekpass.proxy.probe;

import org.jspecify.annotations.NullMarked;
