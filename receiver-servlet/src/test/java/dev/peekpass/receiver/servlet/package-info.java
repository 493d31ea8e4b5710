@NullMarked
package dev.peekpass.receiver.servlet;

import org.jspecify.annotations.NullMarked;
