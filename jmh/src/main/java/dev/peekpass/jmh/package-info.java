/**
 * Micro-benchmarks of what a connection costs inside the proxy: {@link
 * dev.peekpass.jmh.ParserBenchmark parsers}, {@link dev.peekpass.jmh.RouteBenchmark route table}
 * and {@link dev.peekpass.jmh.HandOffBenchmark hand-off path}. Nothing depends on this module; the
 * ordinary build compiles it.
 *
 * <pre>
 * scripts/jmh              all of them: about 20 minutes, and a table at the end
 * scripts/jmh Route        those whose name matches the regular expression
 * scripts/jmh Route -p names=1000000 -f 3   with options of JMH; scripts/jmh -h lists them
 * </pre>
 *
 * <p>A measurement is several JVMs of several iterations, an iteration is thousands of samples, and
 * a sample is a batch so short that other processes rarely interrupt it: its time is that of the
 * code even on a machine that is busy, though not with caches that others use too. The table shows
 * the least and the median of the iterations' medians: the median says what to expect on the
 * machine as it was, the least what the code costs when it is left alone. No test looks at times;
 * what has no noise (bytes allocated, bytes a name) is asserted by the tests of {@code wire} and
 * {@code proxy}.
 */
@NullMarked
package dev.peekpass.jmh;

import org.jspecify.annotations.NullMarked;
