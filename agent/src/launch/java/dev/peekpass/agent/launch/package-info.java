/**
 * The agent's entry: the only classes on the server's class path, and the only ones that also run
 * on old JVMs.
 */
@NullMarked
package dev.peekpass.agent.launch;

import org.jspecify.annotations.NullMarked;
