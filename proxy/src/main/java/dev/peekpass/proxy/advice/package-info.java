/** What to do about receivers, files and directories that do not let a proxy in. No state. */
@NullMarked
package dev.peekpass.proxy.advice;

import org.jspecify.annotations.NullMarked;
