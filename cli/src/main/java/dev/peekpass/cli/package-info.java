/**
 * The {@code peekpass} command: flags, files, exit codes. What it does lies in the modules below.
 */
@NullMarked
package dev.peekpass.cli;

import org.jspecify.annotations.NullMarked;
