/** Certificates and keys: those of a server, read from PEM files, and throw-away ones. */
@NullMarked
package dev.peekpass.cli.pki;

import org.jspecify.annotations.NullMarked;
