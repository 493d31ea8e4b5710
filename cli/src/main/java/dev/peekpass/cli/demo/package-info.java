/** {@code peekpass demo}: the main job in separate processes on loopback, and a tour of it. */
@NullMarked
package dev.peekpass.cli.demo;

import org.jspecify.annotations.NullMarked;
