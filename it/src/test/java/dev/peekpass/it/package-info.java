/** Tests of the whole, as it is shipped: the launcher, real clients, real receivers. */
@NullMarked
package dev.peekpass.it;

import org.jspecify.annotations.NullMarked;
