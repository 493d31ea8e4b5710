package dev.peekpass.receiver;

/** The flags that a JVM with a receiver needs. */
final class JvmFlags {
  /** How to start it, for an error message. */
  static final String REMEDY =
      """
      start java with
        class path:  --add-opens=java.base/sun.nio.ch=ALL-UNNAMED --enable-native-access=ALL-UNNAMED
        module path: --add-opens=java.base/sun.nio.ch=dev.peekpass.receiver \
      --enable-native-access=dev.peekpass.linux
        java -jar:   the lines "Add-Opens: java.base/sun.nio.ch" and \
      "Enable-Native-Access: ALL-UNNAMED" in the jar's manifest\
      """;

  private JvmFlags() {}
}
