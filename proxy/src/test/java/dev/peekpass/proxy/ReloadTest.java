package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.Tests.Running;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.ListenerStatus;
import dev.peekpass.proxy.status.Outcome;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A running proxy that gets another configuration, or gives its sockets away. */
class ReloadTest {
  private static final String REQUEST = "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";

  @TempDir private Path dir;
  private long descriptorsBefore;

  @BeforeEach
  void countDescriptors() throws Exception {
    try (Running warm = new Running(yaml(1, "127.0.0.1:0", "shop", ""));
        Socket client = warm.connect()) {
      client.getOutputStream().write('?');
      client.getInputStream().readAllBytes();
    }
    descriptorsBefore = Tests.openDescriptors();
  }

  @AfterEach
  void nothingLeaks() {
    Tests.await("every descriptor is closed", () -> Tests.openDescriptors() <= descriptorsBefore);
  }

  private String yaml(int threads, String bind, String backend, String more) {
    return """
    threads: %d
    listeners:
      - { bind: [%s], peek-timeout: 30s }
    backends:
      shop: { handoff: "unix:%s", method: persistent }
      other: { handoff: "unix:%s", method: persistent }
    routes:
      - { host: shop.example, backend: %s }
    %s
    """
        .formatted(threads, quoted(bind), dir.resolve("shop"), dir.resolve("other"), backend, more);
  }

  private static String quoted(String binds) {
    return "\"" + binds.replace(",", "\", \"") + "\"";
  }

  private static void send(Socket socket, String text) throws IOException {
    socket.getOutputStream().write(text.getBytes(StandardCharsets.ISO_8859_1));
  }

  private static int port(Running running, int index) {
    return Integer.parseInt(running.proxy.addresses().get(index).replaceAll(".*:", ""));
  }

  private static Socket connect(String address, int port) throws IOException {
    return new Socket(InetAddress.ofLiteral(address), port);
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }

  private static void assertAnswered(TestReceiver receiver, Socket client) throws IOException {
    Fd fd = receiver.take();
    receiver.answer(fd, "hello");
    assertThat(client.getInputStream().readAllBytes()).asString().isEqualTo("hello");
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void newConnectionsTakeTheNewRouteOnTheSameSockets(int threads) throws Exception {
    try (TestReceiver shop = TestReceiver.stream(dir.resolve("shop"));
        TestReceiver other = TestReceiver.stream(dir.resolve("other"));
        Running running = new Running(yaml(threads, "127.0.0.1:0", "shop", ""))) {
      List<String> addresses = running.proxy.addresses();
      try (Socket client = running.connect()) {
        send(client, REQUEST);
        assertAnswered(shop, client);
      }

      assertThat(
              running.proxy.reload(Tests.configuration(yaml(threads, "127.0.0.1:0", "other", ""))))
          .isEmpty();

      assertThat(running.proxy.addresses()).isEqualTo(addresses);
      for (int i = 0; i < 10; i++) {
        try (Socket client = running.connect()) {
          send(client, REQUEST);
          assertAnswered(other, client);
        }
      }
      assertThat(shop.poll()).isNull();
    }
  }

  @Test
  void aPendingConnectionKeepsTheConfigurationThatAcceptedIt() throws Exception {
    try (TestReceiver shop = TestReceiver.stream(dir.resolve("shop"));
        TestReceiver other = TestReceiver.stream(dir.resolve("other"));
        Running running = new Running(yaml(1, "127.0.0.1:0", "shop", ""));
        Socket early = running.connect()) {
      send(early, REQUEST.substring(0, 20));
      Tests.await("it waits", () -> running.count(Counter.INCOMPLETE_AT_FIRST_PEEK) == 1);

      running.proxy.reload(Tests.configuration(yaml(1, "127.0.0.1:0", "other", "")));
      try (Socket late = running.connect()) {
        send(late, REQUEST);
        assertAnswered(other, late);
      }
      assertThat(running.proxy.status().listeners().getFirst().pending()).isOne();
      send(early, REQUEST.substring(20));

      assertAnswered(shop, early);
    }
  }

  @Test
  void aBackendThatIsTheSameKeepsItsChannelAndItsQueue() throws Exception {
    try (Running running = new Running(yaml(1, "127.0.0.1:0", "shop", ""));
        Socket waiting = running.connect()) {
      send(waiting, REQUEST);
      Tests.await("it waits", () -> running.count(Counter.QUEUED) == 1);
      for (int i = 0; i < 50; i++) {
        // Another place in the file, another line: the same backend.
        running.proxy.reload(
            Tests.configuration("# a line more\n" + yaml(1, "127.0.0.1:0", "shop", "")));
      }
      assertThat(running.proxy.status().backends().getFirst().waiting()).isOne();
      try (TestReceiver shop = TestReceiver.stream(dir.resolve("shop"))) {
        assertAnswered(shop, waiting);
        for (int i = 0; i < 5; i++) {
          running.proxy.reload(Tests.configuration(yaml(1, "127.0.0.1:0", "shop", "")));
          try (Socket client = running.connect()) {
            send(client, REQUEST);
            assertAnswered(shop, client);
          }
        }
        assertThat(shop.channelsAccepted).isOne();
      }
    }
  }

  @Test
  void aBackendThatChangedDrainsItsQueueOverItsOldChannel() throws Exception {
    String changed =
        yaml(1, "127.0.0.1:0", "shop", "").replace("method: persistent", "method: once");
    try (Running running = new Running(yaml(1, "127.0.0.1:0", "shop", ""));
        Socket waiting = running.connect()) {
      send(waiting, REQUEST);
      Tests.await("it waits", () -> running.count(Counter.QUEUED) == 1);
      running.proxy.reload(Tests.configuration(changed));
      assertThat(running.proxy.status().backends().getFirst().waiting()).isZero();
      try (TestReceiver shop = TestReceiver.stream(dir.resolve("shop"))) {
        assertAnswered(shop, waiting);
        try (Socket client = running.connect()) {
          send(client, REQUEST);
          assertAnswered(shop, client);
        }
        assertThat(shop.channelsAccepted).isEqualTo(2);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void listenersComeAndGoAndWhatHadBegunIsServed(int threads) throws Exception {
    int second = freePort();
    try (TestReceiver shop = TestReceiver.stream(dir.resolve("shop"));
        Running running =
            new Running(yaml(threads, "127.0.0.1:0,127.0.0.1:" + second, "shop", ""))) {
      List<Socket> silent = new ArrayList<>();
      for (int i = 0; i < 20; i++) {
        // Connected for the client; the kernel keeps it back until its first byte.
        silent.add(connect("127.0.0.1", second));
      }

      running.proxy.reload(Tests.configuration(yaml(threads, "127.0.0.1:0", "shop", "")));

      assertThat(running.proxy.addresses()).hasSize(1);
      assertThat(running.proxy.status().listeners().getLast().closing()).isTrue();
      for (Socket client : silent) {
        try (client) {
          send(client, REQUEST);
          assertAnswered(shop, client);
        }
      }
      Tests.await("it is closed", () -> running.proxy.status().listeners().size() == 1);
      assertThatThrownBy(() -> connect("127.0.0.1", second).close())
          .hasMessageContaining("refused");
    }
  }

  @Test
  void anAddressThatComesBackWhileItClosesGoesOnWithItsSocket() throws Exception {
    int second = freePort();
    String two = yaml(1, "127.0.0.1:0,127.0.0.1:" + second, "shop", "");
    try (TestReceiver shop = TestReceiver.stream(dir.resolve("shop"));
        Running running = new Running(two)) {
      for (int i = 0; i < 10; i++) {
        running.proxy.reload(Tests.configuration(yaml(1, "127.0.0.1:0", "shop", "")));
        running.proxy.reload(Tests.configuration(two));
        try (Socket client = connect("127.0.0.1", second)) {
          send(client, REQUEST);
          assertAnswered(shop, client);
        }
      }
      assertThat(running.proxy.status().listeners()).noneMatch(ListenerStatus::closing);
    }
  }

  @Test
  void oneAddressGivesWayToAnotherOnTheSamePort() throws Exception {
    int port = freePort();
    try (TestReceiver shop = TestReceiver.stream(dir.resolve("shop"));
        Running running = new Running(yaml(1, "0.0.0.0:" + port, "shop", ""))) {
      for (String bind : List.of("127.0.0.1:", "0.0.0.0:", "127.0.0.1:")) {
        running.proxy.reload(Tests.configuration(yaml(1, bind + port, "shop", "")));
        try (Socket client = connect("127.0.0.1", port)) {
          send(client, REQUEST);
          assertAnswered(shop, client);
        }
      }
    }
  }

  @Test
  void anAddressThatCannotBeBoundChangesNothing() throws Exception {
    int free = freePort();
    try (TestReceiver shop = TestReceiver.stream(dir.resolve("shop"));
        ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        Running running = new Running(yaml(1, "127.0.0.1:0", "shop", ""))) {
      Tests.await("it is connected", () -> running.count(Counter.CHANNEL_OPENED) == 1);
      long before = Tests.openDescriptors();
      String binds = "127.0.0.1:" + free + ",127.0.0.1:" + taken.getLocalPort();
      assertThatThrownBy(
              () -> running.proxy.reload(Tests.configuration(yaml(1, binds, "other", ""))))
          .isInstanceOf(SystemCallException.class)
          .hasMessageContaining("EADDRINUSE");

      assertThat(Tests.openDescriptors()).isEqualTo(before);
      assertThatThrownBy(() -> connect("127.0.0.1", free).close()).hasMessageContaining("refused");
      try (Socket client = running.connect()) {
        send(client, REQUEST);
        assertAnswered(shop, client);
      }
    }
  }

  @Test
  void theAccessLogCanBeSwitched() throws Exception {
    try (TestReceiver shop = TestReceiver.stream(dir.resolve("shop"));
        Running running = new Running(yaml(1, "127.0.0.1:0", "shop", ""))) {
      for (int i = 0; i < 3; i++) {
        String log = i == 1 ? "access-log: true" : "";
        running.proxy.reload(Tests.configuration(yaml(1, "127.0.0.1:0", "shop", log)));
        try (Socket client = running.connect()) {
          send(client, REQUEST);
          assertAnswered(shop, client);
        }
      }
      Tests.await("one line", () -> running.log().lines().count() == 1);
    }
  }

  @Test
  void whatCannotChangeIsSaid() throws Exception {
    try (Running running = new Running(yaml(1, "127.0.0.1:0", "shop", ""))) {
      String more = "admin: \"unix:/elsewhere\"";
      assertThat(running.proxy.reload(Tests.configuration(yaml(2, "127.0.0.1:0", "shop", more))))
          .hasSize(2)
          .anyMatch(note -> note.startsWith("threads: 2 goes on as 1"))
          .anyMatch(note -> note.startsWith("admin: "));
      assertThat(running.proxy.reload(Tests.configuration(yaml(2, "127.0.0.1:0", "shop", more))))
          .as("it is not in force now either")
          .hasSize(2);
      assertThat(running.proxy.reload(Tests.configuration(yaml(1, "127.0.0.1:0", "shop", ""))))
          .as("as it was at the start")
          .isEmpty();
    }
  }

  @Test
  void aDrainedBackendsConnectionsGoToTheFallback() throws Exception {
    String yaml = yaml(2, "127.0.0.1:0", "shop", "fallback: other");
    try (TestReceiver shop = TestReceiver.stream(dir.resolve("shop"));
        TestReceiver other = TestReceiver.stream(dir.resolve("other"));
        Running running = new Running(yaml)) {
      assertThat(running.proxy.drain("shop", true)).isTrue();
      // It stays drained through a reload, also where the reload makes another backend of it.
      running.proxy.reload(
          Tests.configuration(yaml.replace("persistent }", "persistent, max-queue: 7 }")));
      for (int i = 0; i < 10; i++) {
        try (Socket client = running.connect()) {
          send(client, REQUEST);
          assertAnswered(other, client);
        }
      }
      assertThat(running.proxy.status().backends().getFirst().state()).isEqualTo("drained");
      assertThat(running.count(Outcome.PASSED_TO_FALLBACK)).isEqualTo(10);
      assertThat(running.proxy.drain("shop", false)).isTrue();
      try (Socket client = running.connect()) {
        send(client, REQUEST);
        assertAnswered(shop, client);
      }
      assertThat(running.proxy.drain("nobody", true)).isFalse();
    }
  }

  @Test
  void aDrainedBackendWithoutAFallbackIsUnavailable() throws Exception {
    try (TestReceiver shop = TestReceiver.stream(dir.resolve("shop"));
        Running running = new Running(yaml(1, "127.0.0.1:0", "shop", ""))) {
      running.proxy.drain("shop", true);
      try (Socket client = running.connect()) {
        send(client, REQUEST);
        assertThat(client.getInputStream().readAllBytes()).asString().startsWith("HTTP/1.1 503 ");
      }
      // Those that are gone from the configuration come back as others would.
      String without = yaml(1, "127.0.0.1:0", "other", "").replaceAll("(?m)^  shop: .*\n", "");
      running.proxy.reload(Tests.configuration(without));
      assertThat(running.proxy.drained()).isEmpty();
      running.proxy.reload(Tests.configuration(yaml(1, "127.0.0.1:0", "shop", "")));
      try (Socket client = running.connect()) {
        send(client, REQUEST);
        assertAnswered(shop, client);
      }
    }
  }

  @Test
  void maxPendingCountsWhatIsIncompleteSinceBeforeAReload() throws Exception {
    String yaml =
        yaml(1, "127.0.0.1:0", "shop", "").replace("peek-timeout", "max-pending: 3, peek-timeout");
    List<Socket> clients = new ArrayList<>();
    try (Running running = new Running(yaml)) {
      for (int i = 0; i < 4; i++) {
        int count = i + 1;
        Socket client = running.connect();
        clients.add(client);
        send(client, "GET");
        Tests.await("it waits", () -> running.count(Counter.INCOMPLETE_AT_FIRST_PEEK) == count);
        running.proxy.reload(Tests.configuration(yaml));
      }

      // The oldest was shed, whichever listener had it.
      assertThatThrownBy(() -> clients.getFirst().getInputStream().read())
          .hasMessageContaining("reset");
      assertThat(running.count(Outcome.SHED)).isOne();
      assertThat(running.proxy.status().listeners().getFirst().pending()).isEqualTo(3);
    } finally {
      for (Socket client : clients) {
        client.close();
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"1 1", "1 3", "3 1", "2 2"})
  void anotherProxyTakesTheSocketsOver(String threads) throws Exception {
    int before = Integer.parseInt(threads.substring(0, 1));
    int after = Integer.parseInt(threads.substring(2));
    int unwanted = freePort();
    try (TestReceiver shop = TestReceiver.stream(dir.resolve("shop"));
        Running old = new Running(yaml(before, "127.0.0.1:0,127.0.0.1:" + unwanted, "shop", ""));
        Socket pending = old.connect()) {
      int port = port(old, 0);
      send(pending, REQUEST.substring(0, 20));
      Tests.await("it waits", () -> old.count(Counter.INCOMPLETE_AT_FIRST_PEEK) == 1);
      Socket queued = connect("127.0.0.1", unwanted);
      old.proxy.drain("other", true);
      Map<TransferredSocket, Fd> offer = old.proxy.duplicateSockets();
      assertThat(offer).hasSize(2 * before);
      List<TransferredSocket> sockets = List.copyOf(offer.keySet());
      Proxy next =
          Proxy.start(
              Tests.configuration(yaml(after, "127.0.0.1:0", "shop", "")),
              LinuxKernel::open,
              (lines, length, givesUp) -> 0,
              new Inherited(sockets, old.proxy.drained()));
      try {
        assertThat(next.addresses()).containsExactly("127.0.0.1:" + port);
        assertThat(next.drained()).containsExactly("other");
        assertThat(next.unwanted()).hasSize(before);
        old.proxy.handOver(
            Set.copyOf(next.unwanted().stream().map(i -> offer.get(sockets.get(i))).toList()));

        for (int i = 0; i < 20; i++) {
          try (Socket client = connect("127.0.0.1", port)) {
            send(client, REQUEST);
            assertAnswered(shop, client);
          }
        }
        assertThat(next.outcomes().get(Outcome.PASSED)).isEqualTo(20);
        // What the old one holds, and what began where the new one does not listen, is finished.
        try (queued) {
          send(queued, REQUEST);
          assertAnswered(shop, queued);
        }
        send(pending, REQUEST.substring(20));
        assertAnswered(shop, pending);
        assertThat(old.proxy.await()).isTrue();
        assertThat(old.count(Outcome.PASSED)).isEqualTo(2);
      } finally {
        next.stop();
        assertThat(next.await()).isTrue();
      }
    }
  }

  @Test
  void whatIsNoListeningSocketIsNotInherited() throws Exception {
    var kernel = LinuxKernel.open();
    Fd event = Fd.of(kernel.eventfd(0, 0));
    assertThatThrownBy(() ->
            Proxy.start(
                Tests.configuration(yaml(1, "127.0.0.1:0", "shop", "")),
                LinuxKernel::open,
                (lines, length, givesUp) -> 0,
                new Inherited(List.of(new TransferredSocket("", event)), Set.of())))
        .isInstanceOf(SystemCallException.class)
        .hasMessageContaining("ENOTSOCK");
  }

  @Test
  void aSocketForBothFamiliesThatWasInheritedServesBoth() throws Exception {
    var kernel = LinuxKernel.open();
    Fd both = Fd.of(kernel.socket(Linux.AF_INET6, Linux.SOCK_STREAM | Linux.SOCK_CLOEXEC, 0));
    kernel.setsockopt(both, Linux.IPPROTO_IPV6, Linux.IPV6_V6ONLY, 0);
    SockAddr name = new SockAddr();
    name.inet(0, 0, 0);
    assertThat(kernel.bind(both, name)).isZero();
    assertThat(kernel.listen(both, 8)).isZero();
    assertThat(kernel.getsockname(both, name)).isZero();
    int port = name.port();
    try (TestReceiver shop = TestReceiver.stream(dir.resolve("shop"))) {
      Proxy proxy =
          Proxy.start(
              Tests.configuration(yaml(2, "[::]:" + port, "shop", "")),
              LinuxKernel::open,
              (lines, length, givesUp) -> 0,
              new Inherited(List.of(new TransferredSocket("", both)), Set.of()));
      try {
        assertThat(proxy.addresses()).containsExactly("[::]:" + port);
        for (String address : List.of("127.0.0.1", "::1")) {
          try (Socket client = connect(address, port)) {
            send(client, REQUEST);
            assertAnswered(shop, client);
          }
        }
      } finally {
        proxy.stop();
        assertThat(proxy.await()).isTrue();
      }
    }
  }

  /** A service manager keeps the sockets that it passes, and starts the proxy again with them. */
  @Test
  void aSocketThatOthersHaveTooIsLeftOpenToNewClients() throws Exception {
    Kernel kernel = LinuxKernel.open();
    int port;
    try (ServerSocket free = new ServerSocket(0)) {
      port = free.getLocalPort();
    }
    Fd kept = Fd.of(kernel.socket(Linux.AF_INET, Linux.SOCK_STREAM | Linux.SOCK_CLOEXEC, 0));
    SockAddr name = new SockAddr();
    name.inet(0, 0xffff7f000001L, port);
    assertThat(kernel.bind(kept, name)).isZero();
    assertThat(kernel.listen(kept, 16)).isZero();
    try (TestReceiver shop = TestReceiver.stream(dir.resolve("shop"))) {
      for (int run = 0; run < 3; run++) {
        Fd passed = Fd.of(kernel.fcntl(kept, Linux.F_DUPFD_CLOEXEC, 0));
        Proxy proxy =
            Proxy.start(
                Tests.configuration(yaml(1, "127.0.0.1:" + port, "shop", "")),
                LinuxKernel::open,
                (lines, length, givesUp) -> 0,
                new Inherited(List.of(new TransferredSocket("", passed)), Set.of()));
        try (Socket client = connect("127.0.0.1", port)) {
          send(client, REQUEST);
          assertAnswered(shop, client);
        } finally {
          proxy.stop();
          assertThat(proxy.await()).isTrue();
        }
        // While none runs clients wait in the queue.
        try (Socket waiting = new Socket()) {
          waiting.connect(new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), port), 2000);
        }
      }
    } finally {
      kernel.close(kept);
    }
  }
}
