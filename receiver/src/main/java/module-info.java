import org.jspecify.annotations.NullMarked;

/** Floor 1: receives connections and gives them to an application. Never depends on the proxy. */
@NullMarked
module dev.peekpass.receiver {
  requires static transitive org.jspecify;
  requires transitive dev.peekpass.wire;
  requires transitive dev.peekpass.linux;
  // Only for MisdirectedExchangeFilter.
  requires static transitive jdk.httpserver;

  exports dev.peekpass.receiver;
}
