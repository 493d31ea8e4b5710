/** What to do about receivers that do not let a proxy in. No state. */
@NullMarked
package dev.peekpass.proxy.advice;

import org.jspecify.annotations.NullMarked;
