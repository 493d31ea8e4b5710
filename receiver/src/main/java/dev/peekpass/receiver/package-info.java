/** Placeholder. */
@NullMarked
package dev.peekpass.receiver;

import org.jspecify.annotations.NullMarked;
