/**
 * Fuzz targets: each takes bytes and throws when a promise does not hold for them
 * (docs/fuzzing.md).
 *
 * <p>A target is a class with {@code public static void fuzzerTestOneInput(byte[])}, which Jazzer
 * drives; tests replay the committed inputs without it. Nothing depends on this module.
 */
@NullMarked
package dev.peekpass.fuzz;

import org.jspecify.annotations.NullMarked;
