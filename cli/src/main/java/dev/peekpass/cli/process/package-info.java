/** This process and others like it: its signals, and the command line that starts another. */
@NullMarked
package dev.peekpass.cli.process;

import org.jspecify.annotations.NullMarked;
