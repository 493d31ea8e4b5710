package dev.peekpass.proxy.confine;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.ProcessCalls;
import dev.peekpass.linux.SeccompFilter;
import dev.peekpass.linux.SystemCallTable;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.config.ConfinementMode;
import java.io.IOException;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What this process is confined to: the files and ports that it was started with ({@link Bounds}),
 * and from {@link #confineFromHere} on its system calls.
 */
public final class Confinement {
  private static final Logger LOG = LoggerFactory.getLogger("dev.peekpass.proxy");

  private static final String NONE = "none";

  /** That without clone3, and the other. */
  private static final int FILTERS = 2;

  private final Bounds bounds;

  /** Whether another program of the start has given up what this one does without. */
  private final boolean second;

  private final List<String> lacks;
  private volatile String calls = NONE;

  /** How many filters of system calls each thread has when those of this class are in force. */
  private volatile int filters = FILTERS;

  /** That of the second program of a start, in which system calls are not filtered yet. */
  public Confinement(Bounds bounds) {
    this(bounds, true);
  }

  private Confinement(Bounds bounds, boolean second) {
    this.bounds = bounds;
    this.second = second;
    lacks = new ArrayList<>(bounds.lacks());
  }

  /** That of a process that nobody confines. */
  public static Confinement none() {
    return new Confinement(Bounds.NONE, false);
  }

  /**
   * Puts the filter of system calls in force, for all threads. What is not needed from here on is
   * refused. Before a byte of a client is read.
   *
   * @param kernel the calling thread's
   * @throws IOException when files are not confined as they should be, or the filter is not in
   *     force though the kernel has said so: then this process must not serve
   */
  public void confineFromHere(Kernel kernel) throws IOException {
    if (bounds.mode() == ConfinementMode.OFF) {
      return;
    }
    requireConfinedFiles();
    // Around it there may be a container's.
    filters = FILTERS + ThreadFacts.filters();
    SystemCallTable table = SystemCallTable.of(System.getProperty("os.arch", "")).orElse(null);
    int r = table == null ? -Errno.ENOSYS : filter(kernel, table);
    if (r < 0) {
      lacks.add(
          "system calls are not filtered: "
              + (table == null ? "this architecture's are not known" : Errno.name(-r)));
    } else if (bounds.mode() == ConfinementMode.ENFORCE) {
      requireFilteredCalls();
    }
    String landlock = bounds.landlock() == 0 ? "not confined" : "Landlock " + bounds.landlock();
    LOG.info("confined from here: system calls: {}; files and ports: {}", calls, landlock);
    // What a kernel is too old for is no surprise; what a container or an option keeps away is.
    boolean open = bounds.mode() == ConfinementMode.ENFORCE && (r < 0 || bounds.landlock() == 0);
    lacks.forEach(lack -> {
      if (open) {
        LOG.warn("confinement: {} (a container's own filter may be why, or the kernel)", lack);
      } else {
        LOG.info("confinement: {}", lack);
      }
    });
  }

  /** Does what {@link #confineFromHere} does, but for what cannot be undone. */
  public static void rehearse() throws IOException {
    Optional<SystemCallTable> table = SystemCallTable.of(System.getProperty("os.arch", ""));
    if (table.isPresent()) {
      var _ = new SeccompFilter(CallFilter.program(table.get(), false, 1));
      var _ = new SeccompFilter(CallFilter.withoutClone3(table.get()));
    }
    LOG.debug("{}", ThreadFacts.read(FILTERS));
  }

  private int filter(Kernel kernel, SystemCallTable table) {
    // One thread for all: seccomp(2) gives the others this thread's, with
    // SECCOMP_FILTER_FLAG_TSYNC.
    int r = ProcessCalls.setNoNewPrivileges();
    if (r < 0) {
      return r;
    }
    r =
        ProcessCalls.seccomp(
            new SeccompFilter(CallFilter.withoutClone3(table)),
            ProcessCalls.SECCOMP_FILTER_FLAG_TSYNC);
    if (r != 0) {
      return r < 0 ? r : -Errno.EPERM;
    }
    boolean audit = bounds.mode() == ConfinementMode.AUDIT;
    var needed = new SeccompFilter(CallFilter.program(table, audit, kernel.getpid()));
    int flags = ProcessCalls.SECCOMP_FILTER_FLAG_TSYNC | ProcessCalls.SECCOMP_FILTER_FLAG_LOG;
    r = ProcessCalls.seccomp(needed, flags);
    if (r == -Errno.EINVAL) {
      // Before Linux 4.14, and in gVisor: without lines in the log.
      r = ProcessCalls.seccomp(needed, ProcessCalls.SECCOMP_FILTER_FLAG_TSYNC);
    }
    if (r > 0) {
      // The number of a thread that has another filter.
      r = -Errno.EPERM;
    }
    if (r == 0) {
      calls = audit ? "audited" : "enforced";
    }
    return r;
  }

  /** Tries what must fail. */
  private void requireConfinedFiles() throws IOException {
    if (bounds.landlock() == 0) {
      return;
    }
    // By rule it is read and never written; else everybody may do both.
    Path zero = Path.of("/dev/zero");
    if (opens(zero, StandardOpenOption.READ) && !opens(zero, StandardOpenOption.WRITE)) {
      return;
    }
    // Where there is no such device. Opens it, and closes it again.
    try (DirectoryStream<Path> root = Files.newDirectoryStream(Path.of("/"))) {
      LOG.debug("{} was opened", root);
    } catch (IOException e) {
      return;
    }
    throw new IOException(
        "files are not confined, though they should be: start it by peekpass run, without"
            + " PEEKPASS_STAGE in the environment");
  }

  private static boolean opens(Path device, StandardOpenOption how) {
    try (SeekableByteChannel channel = Files.newByteChannel(device, how)) {
      return channel.isOpen();
    } catch (IOException e) {
      return false;
    }
  }

  private void requireFilteredCalls() throws IOException {
    ThreadFacts facts = threads();
    if (facts.filtered() != facts.threads() || !facts.noNewPrivileges()) {
      throw new IOException(
          "system calls are filtered for %d of %d threads only: confinement: off starts without, if that must be"
              .formatted(facts.filtered(), facts.threads()));
    }
  }

  /**
   * What the kernel says of all threads.
   *
   * @throws IOException when /proc cannot be read
   */
  public ThreadFacts threads() throws IOException {
    return ThreadFacts.read(filters);
  }

  /** What it was confined to when it started. */
  public Bounds bounds() {
    return bounds;
  }

  /** Why a reload cannot go over to a configuration; empty when nothing here forbids it. */
  public Optional<String> refusal(Configuration next) {
    return bounds.refusal(next);
  }

  /**
   * Whether it may have been started with more privileges than it has now: by {@code user}, or for
   * its confinement. Also true of one that never had any: that cannot be told from here.
   */
  public boolean hasGivenUpPrivileges() {
    return second;
  }

  /** {@code none}, {@code audited} or {@code enforced}. */
  public String calls() {
    return calls;
  }

  /** What could not be done, a sentence each. */
  public List<String> lacks() {
    return List.copyOf(lacks);
  }
}
