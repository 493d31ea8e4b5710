/** Which receiver of a backend gets a connection, and the connections that wait for one. */
@NullMarked
package dev.peekpass.proxy.backend;

import org.jspecify.annotations.NullMarked;
