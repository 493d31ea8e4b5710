import org.jspecify.annotations.NullMarked;

/**
 * Floor 0: pure parsers and codecs. Bytes in, sealed results out; no I/O, no clock, no thread.
 *
 * <p>Depends on nothing but java.base, and knows nothing of {@code dev.peekpass.linux}.
 */
@NullMarked
module dev.peekpass.wire {
  requires static transitive org.jspecify;

  exports dev.peekpass.wire;
}
