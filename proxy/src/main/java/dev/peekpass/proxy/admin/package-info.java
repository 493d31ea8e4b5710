/** Talks to a running proxy: the admin UNIX socket, both ends of it (docs/operations.md). */
@NullMarked
package dev.peekpass.proxy.admin;

import org.jspecify.annotations.NullMarked;
