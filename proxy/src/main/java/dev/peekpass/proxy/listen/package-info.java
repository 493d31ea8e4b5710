/** Listening sockets, and their connections until they are routed. */
@NullMarked
package dev.peekpass.proxy.listen;

import org.jspecify.annotations.NullMarked;
