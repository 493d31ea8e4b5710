/**
 * The fault suite: processes are killed, stopped, frozen, reloaded and restarted under load, and
 * every connection is accounted for. Run by {@code ./test} in short and by {@code
 * scripts/reliability} in full.
 */
@NullMarked
package dev.peekpass.it.fault;

import org.jspecify.annotations.NullMarked;
