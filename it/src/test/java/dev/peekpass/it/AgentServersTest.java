package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.ConnectException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The agent in every way that a JVM listens, behind the real proxy: what the server sees is what it
 * would have accepted itself.
 */
@Tag("agent")
@Tag("processes")
class AgentServersTest {
  private static final int RESETS = 300;
  private static final int AT_ONCE = 100;

  @TempDir private Path dir;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "http",
        "https",
        "socket",
        "socket-virtual",
        "socket-timeout",
        "channel",
        "channel-virtual",
        "selector",
        "selector-first",
        "asynchronous",
        "netty-nio",
        "netty-epoll",
        "netty-shaded-epoll"
      })
  void aServerIsABackendUnmodified(String kind) throws Exception {
    if (kind.endsWith("epoll")) {
      Assumptions.assumeTrue(
          System.getProperty("os.arch").equals("amd64"),
          "SKIPPED: the native library of Netty's that the tests have is for x86-64");
    }
    try (AgentSite site = new AgentSite(dir, kind, "acknowledged", "")) {
      nothingListensOnTcp(site);
      clientsAreSeenAsTheyAre(site, kind);
      // Threads, pools and the UNIX connection are there by now.
      long before = site.server.sockets();
      manyAtOnce(site);
      resetsInTransit(site);
      Running.await("every socket is closed", () -> site.server.sockets() <= before);
      optionsReadBack(site, kind);
      bindsAnew(site);
      Running.await("binding anew leaves no socket", () -> site.server.sockets() <= before);
      assertThat(site.server.output()).doesNotContain("NOTHING to accept");
      assertThat(site.server.errors().lines())
          .allSatisfy(line -> assertThat(line).contains("takes its connections from unix:"));
    }
  }

  private static void nothingListensOnTcp(AgentSite site) {
    assertThatThrownBy(() -> new Socket(InetAddress.ofLiteral("127.0.0.1"), site.tcpPort))
        .isInstanceOf(ConnectException.class);
    // Of both the address and the text are the JDK's own.
    assertThat(site.server.output())
        .isIn(
            "listening /[0:0:0:0:0:0:0:0]:" + site.tcpPort + "\n",
            "listening 0.0.0.0/0.0.0.0:" + site.tcpPort + "\n");
  }

  private static void clientsAreSeenAsTheyAre(AgentSite site, String kind) throws Exception {
    try (AgentSite.Client client = site.client()) {
      String first = client.get("/");
      assertThat(first)
          .contains("/" + client.address() + " local /127.0.0.1:" + site.proxy.port(0));
      assertThat(client.get("/")).as("kept alive").isEqualTo(first);
      if (!kind.startsWith("http") && !kind.equals("asynchronous")) {
        assertThat(first).as("traffic class of the connection").contains(" class 8 ");
      }
      if (!kind.startsWith("http")) {
        // As inherited from the listening socket; Netty tells what the kernel tells, the double.
        int bytes = AgentServer.RECEIVE_BUFFER_BYTES;
        assertThat(first).containsPattern(" buffer (" + bytes + "|" + 2 * bytes + ")");
      }
    }
    try (AgentSite.Client client = site.client(site.proxy.port(1), InetAddress.ofLiteral("::1"))) {
      assertThat(client.get("/"))
          .contains("/[0:0:0:0:0:0:0:1]:" + client.socket.getLocalPort() + " ");
    }
  }

  private static void manyAtOnce(AgentSite site) throws Exception {
    List<AgentSite.Client> clients = new ArrayList<>();
    for (int i = 0; i < AT_ONCE; i++) {
      AgentSite.Client client = site.client();
      client.send("/");
      clients.add(client);
    }
    for (AgentSite.Client client : clients) {
      assertThat(client.receive()).contains("/" + client.address() + " ");
      client.close();
    }
  }

  private static void resetsInTransit(AgentSite site) throws Exception {
    for (int i = 0; i < RESETS; i++) {
      // Not over TLS: it would wait for the server's answer.
      try (Socket client = new Socket(InetAddress.ofLiteral("127.0.0.1"), site.proxy.port(0))) {
        new AgentSite.Client(client).send("/");
        client.setSoLinger(true, 0);
      }
    }
    try (AgentSite.Client client = site.client()) {
      assertThat(client.get("/")).contains("/" + client.address() + " ");
    }
  }

  private static void optionsReadBack(AgentSite site, String kind) throws Exception {
    try (AgentSite.Client client = site.client()) {
      int half = AgentServer.RECEIVE_BUFFER_BYTES / 2;
      boolean doubled = kind.endsWith("epoll");
      assertThat(client.get("/options")).isEqualTo("buffer " + (doubled ? 2 * half : half));
    }
  }

  private static void bindsAnew(AgentSite site) throws Exception {
    for (int i = 2; i <= 4; i++) {
      int times = i;
      try (AgentSite.Client client = site.client()) {
        client.get("/rebind");
      }
      Running.await(
          "it has bound " + times + " times: " + site.server.errors(),
          () -> site.server.errors().lines().count() == times);
      try (AgentSite.Client client = site.client()) {
        assertThat(client.get("/")).contains("/" + client.address() + " ");
      }
    }
  }
}
