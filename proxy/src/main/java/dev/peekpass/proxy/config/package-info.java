/**
 * The configuration: YAML text in, immutable records or every mistake out. Pure: no I/O, no clock.
 *
 * <p>{@link dev.peekpass.proxy.config.ConfigurationReader} is the way in. Every key is described in
 * docs/configuration.md.
 */
@NullMarked
package dev.peekpass.proxy.config;

import org.jspecify.annotations.NullMarked;
