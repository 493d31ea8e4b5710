/**
 * What the proxy may do, once it may accept: system calls, files, ports. Rules as values, what came
 * of them, and what is refused; the steps that put them in force are the program's (cli).
 */
@NullMarked
package dev.peekpass.proxy.confine;

import org.jspecify.annotations.NullMarked;
