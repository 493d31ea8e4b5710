/**
 * A start in two programs, one after the other in one process: the first may be root and opens what
 * needs that, the second is confined from its first instruction (docs/adr/0028-two-stages.md).
 */
@NullMarked
package dev.peekpass.cli.stage;

import org.jspecify.annotations.NullMarked;
