/** Turns clients away so that they can read why. */
@NullMarked
package dev.peekpass.proxy.refusal;

import org.jspecify.annotations.NullMarked;
