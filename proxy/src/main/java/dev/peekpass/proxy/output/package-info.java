/** Lines that go out of the process, to a reader that may be slow, stuck or gone. */
@NullMarked
package dev.peekpass.proxy.output;

import org.jspecify.annotations.NullMarked;
