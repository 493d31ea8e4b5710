/** Placeholder. */
@NullMarked
package dev.peekpass.cli;

import org.jspecify.annotations.NullMarked;
