/** {@code peekpass serve}: a static file server behind a receiver, and what of HTTP it needs. */
@NullMarked
package dev.peekpass.cli.serve;

import org.jspecify.annotations.NullMarked;
