/**
 * JVM servers of many makes behind the proxy. Each server is a small program in a JVM of its own
 * that knows nothing of Peekpass; {@code MatrixTest} is the client.
 */
@NullMarked
package dev.peekpass.matrix;

import org.jspecify.annotations.NullMarked;
