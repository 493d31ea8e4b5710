package dev.peekpass.cli.stage;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.ProcessCalls;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.TransferredSocket;
import dev.peekpass.proxy.admin.CarriedTakeover;
import dev.peekpass.proxy.config.ConfinementMode;
import dev.peekpass.proxy.confine.Bounds;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * What the first program of a start leaves to the second: in memory without a name
 * (memfd_create(2)), whose descriptor the environment names. Lines of a word and the rest, an empty
 * line, and the configuration's text.
 *
 * @param configuration the text, as it was read once: by then the file may be another, and standard
 *     input is empty
 * @param sockets that listen
 * @param adminPath where the admin socket is to be; empty when nowhere
 * @param takeover one that has begun
 * @param bounds what the second program is confined to
 */
public record HandedDown(
    String configuration,
    List<TransferredSocket> sockets,
    Optional<String> adminPath,
    Optional<CarriedTakeover> takeover,
    Bounds bounds) {
  /** The environment variable. */
  public static final String VARIABLE = "PEEKPASS_STAGE";

  /** What is not a start's. */
  private static final String NOT_OURS =
      VARIABLE + " is for Peekpass's own use: take it out of the environment";

  private static final String FIRST_LINE = "peekpass stage 1";

  /** Nobody writes it any more: others of the same user could, by /proc/PID/fd. */
  private static final int SEALS =
      Linux.F_SEAL_WRITE | Linux.F_SEAL_GROW | Linux.F_SEAL_SHRINK | Linux.F_SEAL_SEAL;

  /** Copies the lists. */
  public HandedDown {
    sockets = List.copyOf(sockets);
  }

  /**
   * That which the environment names; empty in a first program.
   *
   * @throws IOException when it cannot be read
   */
  public static Optional<HandedDown> find(Kernel kernel, Map<String, String> environment)
      throws IOException {
    String number = environment.get(VARIABLE);
    if (number == null) {
      return Optional.empty();
    }
    if (!number.matches("\\d{1,6}")) {
      throw new IOException(NOT_OURS);
    }
    Fd memory = Fd.of(Integer.parseInt(number));
    int seals = kernel.fcntl(memory, Linux.F_GET_SEALS, 0);
    if (seals < 0 || (seals & SEALS) != SEALS) {
      throw new IOException(NOT_OURS);
    }
    byte[] bytes;
    try {
      bytes = Files.readAllBytes(Path.of("/proc/self/fd/" + memory.number()));
    } catch (IOException e) {
      throw new IOException(NOT_OURS, e);
    }
    HandedDown found = read(bytes);
    kernel.close(memory);
    for (Fd one : found.descriptors()) {
      if (kernel.fcntl(one, Linux.F_SETFD, Linux.FD_CLOEXEC) < 0) {
        throw new IOException(NOT_OURS);
      }
    }
    return Optional.of(found);
  }

  /** Every descriptor that it names. */
  List<Fd> descriptors() {
    List<Fd> all = new ArrayList<>();
    sockets.forEach(socket -> all.add(socket.fd()));
    takeover.ifPresent(carried -> all.addAll(carried.descriptors()));
    return all;
  }

  /**
   * Writes it into new memory, which nobody can change any more.
   *
   * @return the descriptor, close-on-exec; the caller's
   */
  Fd write(Kernel kernel) throws SystemCallException {
    int r = kernel.memfdCreate(Linux.MFD_CLOEXEC | Linux.MFD_ALLOW_SEALING);
    if (r < 0) {
      throw new SystemCallException("memfd_create", -r, "raise the limit of open files");
    }
    Fd memory = Fd.of(r);
    int written = ProcessCalls.writeAll(kernel, memory, toBytes());
    if (written < 0) {
      kernel.close(memory);
      throw new SystemCallException("write to memory", -written, "free memory");
    }
    int sealed = kernel.fcntl(memory, Linux.F_ADD_SEALS, SEALS);
    if (sealed < 0) {
      kernel.close(memory);
      throw new SystemCallException("fcntl F_ADD_SEALS", -sealed, "start it again");
    }
    return memory;
  }

  byte[] toBytes() {
    StringBuilder lines = new StringBuilder(FIRST_LINE).append('\n');
    line(lines, "mode", bounds.mode().name());
    line(lines, "landlock", String.valueOf(bounds.landlock()));
    line(lines, "connects", String.valueOf(bounds.connects()));
    bounds
        .ports()
        .ifPresent(ports -> {
          line(lines, "ports", "");
          ports.forEach(port -> line(lines, "port", port.toString()));
        });
    bounds.paths().forEach(path -> line(lines, "path", path));
    bounds.lacks().forEach(lack -> line(lines, "lacks", lack));
    adminPath.ifPresent(path -> line(lines, "admin", path));
    sockets.forEach(socket -> line(lines, "socket", socket.fd().number() + " " + socket.bind()));
    takeover.ifPresent(carried -> {
      String to = carried.stream().number() + " " + carried.version();
      String is = carried.known() + " " + carried.ended();
      line(lines, "takeover", to + " " + carried.deadlineNanos() + " " + is);
      carried.sockets().forEach(one -> line(lines, "taken", one.fd().number() + " " + one.bind()));
      carried.drained().forEach(name -> line(lines, "drained", name));
      carried
          .admin()
          .ifPresent(fd -> line(lines, "old-admin", fd.number() + " " + carried.adminPath()));
      line(lines, "unread", carried.unread());
    });
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    all.writeBytes(lines.append('\n').toString().getBytes(UTF_8));
    all.writeBytes(configuration.getBytes(UTF_8));
    return all.toByteArray();
  }

  /** A line's end within a value would end it: values are escaped. */
  private static void line(StringBuilder to, String word, String value) {
    to.append(word).append(' ');
    to.append(value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")).append('\n');
  }

  private static String unescape(String value) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < value.length(); i++) {
      char c = value.charAt(i);
      if (c == '\\' && i + 1 < value.length()) {
        i++;
        c = value.charAt(i) == 'n' ? '\n' : value.charAt(i) == 'r' ? '\r' : value.charAt(i);
      }
      text.append(c);
    }
    return text.toString();
  }

  static HandedDown read(byte[] bytes) throws IOException {
    try {
      return parse(bytes);
    } catch (RuntimeException e) {
      // Not a number, no value, out of order, …: no start writes such.
      throw new IOException(NOT_OURS, e);
    }
  }

  private static HandedDown parse(byte[] bytes) throws IOException {
    Reading reading = new Reading();
    int at = 0;
    boolean first = true;
    while (true) {
      int end = at;
      while (end < bytes.length && bytes[end] != '\n') {
        end++;
      }
      if (end == bytes.length) {
        throw new IOException(NOT_OURS);
      }
      String line = new String(bytes, at, end - at, UTF_8);
      at = end + 1;
      if (first && !line.equals(FIRST_LINE)) {
        throw new IOException("the program's files were replaced during the start: try again");
      }
      if (line.isEmpty()) {
        return reading.made(new String(bytes, at, bytes.length - at, UTF_8));
      }
      if (!first) {
        int space = line.indexOf(' ');
        reading.take(line.substring(0, space), unescape(line.substring(space + 1)));
      }
      first = false;
    }
  }

  /** What has been read so far. */
  private static final class Reading {
    private ConfinementMode mode = ConfinementMode.ENFORCE;
    private int landlock;
    private boolean connects;
    private Optional<SortedSet<Integer>> ports = Optional.empty();
    private final List<String> paths = new ArrayList<>();
    private final List<String> lacks = new ArrayList<>();
    private Optional<String> adminPath = Optional.empty();
    private final List<TransferredSocket> sockets = new ArrayList<>();
    private final List<TransferredSocket> taken = new ArrayList<>();
    private final Set<String> drained = new HashSet<>();
    private String[] takeover = {};
    private Optional<Fd> oldAdmin = Optional.empty();
    private String oldAdminPath = "";
    private String unread = "";

    void take(String word, String value) throws IOException {
      switch (word) {
        case "mode" -> mode = ConfinementMode.valueOf(value.toUpperCase(Locale.ROOT));
        case "landlock" -> landlock = Integer.parseInt(value);
        case "connects" -> connects = Boolean.parseBoolean(value);
        case "ports" -> ports = Optional.of(new TreeSet<>());
        case "port" -> ports.orElseThrow().add(Integer.parseInt(value));
        case "path" -> paths.add(value);
        case "lacks" -> lacks.add(value);
        case "admin" -> adminPath = Optional.of(absolute(value));
        case "socket" -> sockets.add(socket(value));
        case "taken" -> taken.add(socket(value));
        case "drained" -> drained.add(value);
        case "takeover" -> takeover = value.split(" ", -1);
        case "old-admin" -> {
          TransferredSocket old = socket(value);
          oldAdmin = Optional.of(old.fd());
          oldAdminPath = old.bind();
        }
        case "unread" -> unread = value;
        default -> throw new IOException(NOT_OURS);
      }
    }

    private static String absolute(String path) {
      if (!Path.of(path).isAbsolute()) {
        throw new IllegalArgumentException(path);
      }
      return path;
    }

    private static TransferredSocket socket(String value) {
      int space = value.indexOf(' ');
      return new TransferredSocket(
          value.substring(space + 1), Fd.of(Integer.parseInt(value.substring(0, space))));
    }

    HandedDown made(String configuration) {
      Optional<CarriedTakeover> carried =
          takeover.length < 5
              ? Optional.empty()
              : Optional.of(
                  new CarriedTakeover(
                      Fd.of(Integer.parseInt(takeover[0])),
                      takeover[1],
                      Long.parseLong(takeover[2]),
                      taken,
                      drained,
                      oldAdminPath,
                      oldAdmin,
                      Boolean.parseBoolean(takeover[3]),
                      Boolean.parseBoolean(takeover[4]),
                      unread));
      Bounds bounds = new Bounds(mode, landlock, ports, connects, paths, lacks);
      return new HandedDown(configuration, sockets, adminPath, carried, bounds);
    }
  }
}
