import org.jspecify.annotations.NullMarked;

/**
 * Floor 2: makes any JVM server a backend. Lives in a module layer of its own inside the server's
 * JVM, so that nothing of it can clash with what the server brings.
 */
@NullMarked
module dev.peekpass.agent {
  requires static transitive org.jspecify;
  requires transitive java.instrument;
  requires dev.peekpass.linux;
  requires dev.peekpass.receiver;

  exports dev.peekpass.agent;
}
