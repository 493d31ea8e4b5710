import org.jspecify.annotations.NullMarked;

/** Floor 2: the {@code peekpass} command: main, flags, signals. */
@NullMarked
module dev.peekpass.cli {
  requires static transitive org.jspecify;
  requires dev.peekpass.wire;
  requires dev.peekpass.proxy;
  requires dev.peekpass.receiver;
  requires info.picocli;
  requires com.fasterxml.jackson.core;
  requires ch.qos.logback.classic;
  requires ch.qos.logback.core;
  requires org.slf4j;
  requires java.net.http;
  requires jdk.unsupported;

  opens dev.peekpass.cli to
      info.picocli;
  opens dev.peekpass.cli.demo to
      info.picocli;
  opens dev.peekpass.cli.serve to
      info.picocli;

  provides ch.qos.logback.classic.spi.Configurator with
      dev.peekpass.cli.Logging;
}
