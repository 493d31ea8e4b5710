import org.jspecify.annotations.NullMarked;

/** Floor 2: answers requests for names that are not routed here, in a servlet container. */
@NullMarked
module dev.peekpass.receiver.servlet {
  requires static transitive org.jspecify;
  requires transitive dev.peekpass.receiver;
  requires transitive jakarta.servlet;

  exports dev.peekpass.receiver.servlet;
}
