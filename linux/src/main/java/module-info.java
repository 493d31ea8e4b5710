import org.jspecify.annotations.NullMarked;

/**
 * Floor 0: the system calls that Peekpass needs, and the only user of {@code java.lang.foreign}.
 *
 * <p>One method a system call, no policy. Depends on nothing but java.base.
 */
@NullMarked
module dev.peekpass.linux {
  requires static transitive org.jspecify;

  exports dev.peekpass.linux;
}
