package dev.peekpass.it;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A test of nginx by each way that a connection can get there. {@code tcp} is the control: what is
 * asserted of the module must first be true of nginx that accepts the connection itself.
 */
@Target(ElementType.METHOD)
@Retention(RetentionPolicy.RUNTIME)
@ParameterizedTest
@ValueSource(strings = {"tcp", "once", "persistent", "datagram"})
@interface EveryMethod {}
