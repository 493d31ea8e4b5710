import org.jspecify.annotations.NullMarked;

/** Floor 1: listener, peek, route, hand-off. */
@NullMarked
module dev.peekpass.proxy {
  requires static transitive org.jspecify;
  requires transitive dev.peekpass.wire;
  requires transitive dev.peekpass.linux;
  requires org.slf4j;
  requires org.snakeyaml.engine;

  exports dev.peekpass.proxy;
  exports dev.peekpass.proxy.admin;
  exports dev.peekpass.proxy.advice;
  exports dev.peekpass.proxy.config;
  exports dev.peekpass.proxy.confine;
  exports dev.peekpass.proxy.output;
  exports dev.peekpass.proxy.probe;
  exports dev.peekpass.proxy.route;
  exports dev.peekpass.proxy.status;
  exports dev.peekpass.proxy.systemd;
}
