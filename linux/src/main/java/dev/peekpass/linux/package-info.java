/**
 * The Linux system calls that Peekpass needs, through {@code java.lang.foreign}, for x86-64 and
 * aarch64.
 *
 * <p>{@link dev.peekpass.linux.Kernel} is what the rest of Peekpass sees; {@link
 * dev.peekpass.linux.LinuxKernel} is the one real implementation. The other types are memory that
 * calls read and write ({@link dev.peekpass.linux.NativeBuffer}, {@link
 * dev.peekpass.linux.Message}, …) and values ({@link dev.peekpass.linux.Fd}, {@link
 * dev.peekpass.linux.Errno}).
 */
@NullMarked
package dev.peekpass.linux;

import org.jspecify.annotations.NullMarked;
