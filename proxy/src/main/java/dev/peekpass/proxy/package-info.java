/** Placeholder. */
@NullMarked
package dev.peekpass.proxy;

import org.jspecify.annotations.NullMarked;
