/** A servlet filter for backends of a proxy that routes connections, not requests. */
@NullMarked
package dev.peekpass.receiver.servlet;

import org.jspecify.annotations.NullMarked;
