/**
 * A kernel that is simulated, with processes and clients around it, for tests of what calls {@link
 * dev.peekpass.linux.Kernel}.
 *
 * <p>Everything that happens follows from a seed: the order of events, the faults, the time. A
 * {@link dev.peekpass.simulation.World} has the clock, which stands still but in epoll_wait, and
 * what will happen when. {@link dev.peekpass.simulation.SimulatedKernel} has the descriptors of the
 * one process under test. {@link dev.peekpass.simulation.Client}s and {@link
 * dev.peekpass.simulation.Receiver}s are outside of it. What no correct caller does, such as
 * closing a descriptor twice, ends in a {@link dev.peekpass.simulation.Violation}.
 */
@NullMarked
package dev.peekpass.simulation;

import org.jspecify.annotations.NullMarked;
