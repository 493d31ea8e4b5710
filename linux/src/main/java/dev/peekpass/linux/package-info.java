/** Placeholder. */
@NullMarked
package dev.peekpass.linux;

import org.jspecify.annotations.NullMarked;
