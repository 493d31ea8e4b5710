/** A Spring Boot application that knows nothing of Peekpass. */
@NullMarked
package dev.peekpass.matrix.boot;

import org.jspecify.annotations.NullMarked;
