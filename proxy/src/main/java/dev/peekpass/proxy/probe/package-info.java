/** Asks receivers that do not acknowledge whether they do their work. */
@NullMarked
package dev.peekpass.proxy.probe;

import org.jspecify.annotations.NullMarked;
