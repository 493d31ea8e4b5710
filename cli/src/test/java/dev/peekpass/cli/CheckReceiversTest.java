package dev.peekpass.cli;

import static java.util.stream.Collectors.joining;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.wire.FromReceiver;
import dev.peekpass.wire.HandOff;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiFunction;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code check} says before the first client which receivers do not let the proxy in. */
@Timeout(60)
final class CheckReceiversTest {
  private static final String UID = "uid " + LinuxKernel.open().geteuid();

  @TempDir private Path directory;
  private final Kernel kernel = LinuxKernel.open();
  private final List<Fd> open = new ArrayList<>();

  @AfterEach
  void close() {
    open.forEach(kernel::close);
  }

  /** Binds web.sock, and listens unless it is a datagram socket. */
  private Fd bind(String name, int type) {
    Fd socket = Fd.of(kernel.socket(Linux.AF_UNIX, type | Linux.SOCK_CLOEXEC, 0));
    open.add(socket);
    SockAddr address = new SockAddr();
    address.unix(directory.resolve(name).toString());
    assertThat(kernel.bind(socket, address)).isZero();
    if (type != Linux.SOCK_DGRAM) {
      assertThat(kernel.listen(socket, 8)).isZero();
    }
    return socket;
  }

  /** Accepts one connection in a thread, does something with it, and closes what it returns. */
  private Thread accept(Fd listener, BiFunction<Kernel, Fd, Boolean> act) {
    return Thread.ofPlatform()
        .daemon()
        .start(() -> {
          Kernel own = LinuxKernel.open();
          Fd accepted = Fd.of(own.accept4(listener, null, Linux.SOCK_CLOEXEC));
          if (act.apply(own, accepted)) {
            own.close(accepted);
          }
        });
  }

  private CommandRun check(String backend, Object... more) throws IOException {
    Path file =
        Files.writeString(
            directory.resolve("peekpass.yaml"),
            """
            listeners: [ { bind: "*:443" } ]
            routes: [ { host: a, backend: web } ]
            backends:
              web: { handoff: "unix:%s/web.sock", %s }
            """
                .formatted(directory, backend));
    List<Object> arguments = new ArrayList<>(List.of("check", "-c", file));
    arguments.addAll(List.of(more));
    return CommandRun.of(arguments.toArray());
  }

  /** What is complained of; the rest is what could not be found out. */
  private static String complaints(CommandRun run) {
    return run.err()
        .lines()
        .filter(line -> !line.startsWith("note: ") && !line.contains(": it serves as root: "))
        .map(line -> line + "\n")
        .collect(joining());
  }

  private void expectWarning(CommandRun run, String problem) {
    assertThat(run.code()).isZero();
    assertThat(run.out()).endsWith(": ok, 1 listener, 1 backend, 1 route\n");
    assertThat(complaints(run))
        .startsWith(
            "warning: " + directory + "/peekpass.yaml:4: backend web: unix:" + directory + "/web.")
        .contains(problem)
        .hasLineCount(1);
  }

  @Test
  void aSocketThatIsNotThere() throws IOException {
    expectWarning(check("method: auto"), "there is no such socket, start the receiver");

    CommandRun strict = check("method: auto", "--receivers=strict");
    assertThat(strict.code()).isEqualTo(1);
    assertThat(strict.out())
        .isEqualTo(directory + "/peekpass.yaml: valid, but 1 receiver would get nothing\n");
    assertThat(complaints(strict)).startsWith(directory + "/peekpass.yaml:4: backend web: ");
    CommandRun off = check("method: auto", "--receivers", "off");
    assertThat(off.code()).isZero();
    assertThat(complaints(off)).isEmpty();
  }

  @Test
  void aFileThatIsNoSocket() throws IOException {
    Files.createFile(directory.resolve("web.sock"));
    expectWarning(check("method: auto"), "this is no socket");
  }

  @Test
  void aSocketThatNobodyHasOpen() throws IOException {
    kernel.close(bind("web.sock", Linux.SOCK_STREAM));
    open.clear();
    expectWarning(check("method: auto"), "nobody listens");
  }

  @Test
  void aSocketOfAnotherType() throws IOException {
    bind("web.sock", Linux.SOCK_DGRAM);
    expectWarning(check("method: persistent"), "it is a datagram socket, and method is persistent");
    assertThat(complaints(check("method: datagram"))).isEmpty();
    assertThat(complaints(check("method: auto"))).isEmpty();
  }

  @Test
  void aStreamThatStaysOpenIsGood() throws IOException {
    Fd listener = bind("web.sock", Linux.SOCK_STREAM);
    Thread receiver = accept(listener, (own, accepted) -> false);
    assertThat(complaints(check("method: auto"))).isEmpty();
    assertThatCode(receiver::join).doesNotThrowAnyException();
  }

  @Test
  void aReceiverThatClosesAtOnce() throws IOException {
    for (int type : new int[] {Linux.SOCK_STREAM, Linux.SOCK_SEQPACKET}) {
      Fd listener = bind("web.sock", type);
      accept(listener, (own, accepted) -> true);
      String remedy = "it closes connections of " + UID + " at once, allow it there: --allow-uid ";
      expectWarning(check("method: auto"), remedy);
      Files.delete(directory.resolve("web.sock"));
    }
  }

  @Test
  void aReceiverThatSaysHello() throws IOException {
    Fd listener = bind("web.sock", Linux.SOCK_SEQPACKET);
    accept(
        listener,
        (own, accepted) -> {
          NativeBuffer buffer = new NativeBuffer(64);
          own.send(accepted, buffer, 0, FromReceiver.writeHello(buffer.bytes(), 1, false, 8), 0);
          return false;
        });
    assertThat(complaints(check("method: acknowledged", "--receivers=strict"))).isEmpty();
  }

  @Test
  void aReceiverThatDenies() throws IOException {
    expectDenied(HandOff.DENIED_USER, "uid 4242 is not allowed, allow it there: --allow-uid 4242");
    expectDenied(HandOff.DENIED_FULL, "it has as many UNIX connections as it takes");
    expectDenied(HandOff.DENIED_VERSION, "use the same release for both");
    expectDenied(77, "reason 77, see the receiver's log");
  }

  private void expectDenied(int reason, String problem) throws IOException {
    Fd listener = bind("web.sock", Linux.SOCK_SEQPACKET);
    accept(
        listener,
        (own, accepted) -> {
          NativeBuffer buffer = new NativeBuffer(64);
          own.send(accepted, buffer, 0, FromReceiver.writeDeny(buffer.bytes(), reason, 4242), 0);
          return true;
        });
    expectWarning(check("method: auto"), problem);
    Files.delete(directory.resolve("web.sock"));
  }

  /** A hundred receivers that hang cost what one costs. */
  @Test
  void silentReceiversAreWaitedForTogether() throws IOException {
    StringBuilder paths = new StringBuilder();
    for (int i = 0; i < 100; i++) {
      bind("hangs" + i, Linux.SOCK_SEQPACKET);
      paths.append("\"unix:%s/hangs%d\", ".formatted(directory, i));
    }
    Path file =
        Files.writeString(
            directory.resolve("many.yaml"),
            """
            listeners: [ { bind: "*:443" } ]
            routes: [ { host: a, backend: web } ]
            backends: { web: { handoff: [ %s ] } }
            """
                .formatted(paths));
    long began = System.nanoTime();
    CommandRun run = CommandRun.of("check", "-c", file);

    assertThat(complaints(run)).hasLineCount(100).contains("it says nothing for a second");
    assertThat(System.nanoTime() - began).isLessThan(10_000_000_000L);
  }

  @Test
  void whatADatagramSocketCannotTellIsSaid() throws IOException {
    bind("web.sock", Linux.SOCK_DGRAM);
    assertThat(check("method: auto").err())
        .contains("/web.sock: a datagram socket does not tell whether " + UID + " is let in")
        .contains("see the receiver's log");
  }

  /** It may do everything, so that its answer is not the proxy's. */
  @Test
  void whoAsksAsRootIsToldToAskAsTheProxysUser() throws IOException {
    bind("web.sock", Linux.SOCK_DGRAM);
    String note = "note: asked as root, ";
    assertThat(check("method: auto").err().contains(note)).isEqualTo(UID.equals("uid 0"));
    CommandRun off = check("method: auto", "--receivers=off");
    assertThat(complaints(off)).isEmpty();
    assertThat(off.err()).doesNotContain(note);
    Files.delete(directory.resolve("web.sock"));
    assertThat(check("method: auto").err()).doesNotContain(note);
  }

  /** However many before it say nothing. */
  @Test
  void aReceiverBehindManySilentOnesHasItsSecondToo() throws IOException {
    Fd silent = bind("silent", Linux.SOCK_SEQPACKET);
    assertThat(kernel.listen(silent, 1024)).isZero();
    StringBuilder paths = new StringBuilder();
    for (int i = 0; i < 3 * 256; i++) {
      Files.createSymbolicLink(directory.resolve("link" + i), directory.resolve("silent"));
      paths.append("\"unix:%s/link%d\", ".formatted(directory, i));
    }
    Fd listener = bind("web.sock", Linux.SOCK_SEQPACKET);
    accept(
        listener,
        (own, accepted) -> {
          NativeBuffer buffer = new NativeBuffer(64);
          // As a receiver that is a little slow.
          own.poll(accepted, Linux.POLLIN, 100);
          own.send(accepted, buffer, 0, FromReceiver.writeHello(buffer.bytes(), 1, false, 8), 0);
          return false;
        });
    Path file =
        Files.writeString(
            directory.resolve("many.yaml"),
            """
            listeners: [ { bind: "*:443" } ]
            routes: [ { host: a, backend: silent }, { host: b, backend: web } ]
            backends: { silent: { handoff: [ %s ] }, web: { handoff: "unix:%s/web.sock" } }
            """
                .formatted(paths, directory));
    CommandRun run = CommandRun.of("check", "-c", file);

    assertThat(complaints(run)).hasLineCount(3 * 256).doesNotContain("web.sock");
  }
}
