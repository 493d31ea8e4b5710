@NullMarked
package dev.peekpass.receiver.netty;

import org.jspecify.annotations.NullMarked;
