package dev.peekpass.receiver.servlet;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peekpass.receiver.ServedNames;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiFunction;
import java.util.regex.Pattern;
import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;
import org.apache.coyote.http2.Http2Protocol;
import org.apache.tomcat.util.descriptor.web.FilterDef;
import org.apache.tomcat.util.descriptor.web.FilterMap;
import org.apache.tomcat.util.net.SSLHostConfig;
import org.apache.tomcat.util.net.SSLHostConfigCertificate;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** In a real container, with real clients. */
@Tag("processes")
class MisdirectedRequestFilterTest {
  @TempDir private Path dir;
  private final Tomcat tomcat = new Tomcat();
  private final Connector tls = new Connector();

  @BeforeEach
  void start() throws Exception {
    tomcat.setBaseDir(dir.toString());
    Connector connector = new Connector();
    connector.setProperty("address", "127.0.0.1");
    connector.setPort(0);
    tomcat.getService().addConnector(connector);
    tomcat.setConnector(connector);
    tls.setProperty("address", "127.0.0.1");
    tls.setPort(0);
    tls.setSecure(true);
    tls.setScheme("https");
    tls.setProperty("SSLEnabled", "true");
    tls.addSslHostConfig(certificate());
    tls.addUpgradeProtocol(new Http2Protocol());
    tomcat.getService().addConnector(tls);
    Context context = tomcat.addContext("", null);
    FilterDef filter = new FilterDef();
    filter.setFilterName("misdirected");
    filter.setFilter(new MisdirectedRequestFilter(ServedNames.of("shop.example")));
    context.addFilterDef(filter);
    FilterMap map = new FilterMap();
    map.setFilterName("misdirected");
    map.addURLPattern("/*");
    context.addFilterMap(map);
    Tomcat.addServlet(context, "app", new App()).addMapping("/*");
    tomcat.start();
  }

  private SSLHostConfig certificate() throws Exception {
    Path keys = dir.resolve("keys.p12");
    Process made =
        new ProcessBuilder(
                System.getProperty("java.home") + "/bin/keytool",
                "-genkeypair",
                "-alias",
                "shop",
                "-keyalg",
                "EC",
                "-dname",
                "CN=shop.example",
                "-keystore",
                keys.toString(),
                "-storepass",
                "changeit")
            .inheritIO()
            .start();
    assertThat(made.waitFor()).isZero();
    SSLHostConfig host = new SSLHostConfig();
    SSLHostConfigCertificate certificate =
        new SSLHostConfigCertificate(host, SSLHostConfigCertificate.Type.EC);
    certificate.setCertificateKeystoreFile(keys.toString());
    certificate.setCertificateKeystorePassword("changeit");
    host.addCertificate(certificate);
    return host;
  }

  @AfterEach
  void stop() throws Exception {
    tomcat.stop();
    tomcat.destroy();
  }

  private static final class App extends HttpServlet {
    private static final long serialVersionUID = 1L;

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response)
        throws IOException {
      request.getInputStream().readAllBytes();
      response.setStatus(HttpServletResponse.SC_NO_CONTENT);
    }
  }

  private List<String> statuses(String requests) throws IOException {
    try (Socket client =
        new Socket(InetAddress.getLoopbackAddress(), tomcat.getConnector().getLocalPort())) {
      client.getOutputStream().write(requests.getBytes(US_ASCII));
      client.shutdownOutput();
      String answers = new String(client.getInputStream().readAllBytes(), US_ASCII);
      List<String> statuses = new ArrayList<>();
      Pattern.compile("HTTP/1.1 (\\d+)")
          .matcher(answers)
          .results()
          .forEach(result -> statuses.add(result.group(1)));
      return statuses;
    }
  }

  @Test
  void aLaterRequestForAnotherNameIsMisdirectedAndTheConnectionGoesOn() throws IOException {
    assertThat(
            statuses(
                """
                GET / HTTP/1.1\r
                Host: Shop.Example:8443\r
                \r
                POST / HTTP/1.1\r
                Host: blog.example\r
                Content-Length: 7\r
                \r
                shall IGET / HTTP/1.1\r
                Host: shop.example\r
                \r
                GET http://blog.example/ HTTP/1.1\r
                Host: blog.example\r
                \r
                """))
        .containsExactly("204", "421", "204", "421");
  }

  @Test
  void aRequestThatNamesNobodyIsForTheServerToJudge() throws IOException {
    assertThat(statuses("GET / HTTP/1.0\r\n\r\n")).containsExactly("204");
    assertThat(statuses("GET / HTTP/1.1\r\nHost:\r\n\r\n")).containsExactly("204");
  }

  /** Where the container refuses by itself, with 400 for instance, that is as good. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "GET / HTTP/1.1 | Host: SHOP.example:80 | true",
        "GET http://shop.example/ HTTP/1.1 | Host: shop.example | true",
        "GET http://shop.example/ HTTP/1.0 | X: y | true",
        "GET / HTTP/1.1 | Host: blog.example | false",
        "GET / HTTP/1.1 | Host: [::1] | false",
        "GET / HTTP/1.0 | Host: blog.example | false",
        "GET / HTTP/1.1 | Host: shop.example;Host: blog.example | false",
        "GET / HTTP/1.1 | Host: shop.example;Host: shop.example | false",
        "GET http://shop.example/ HTTP/1.1 | Host: blog.example | false",
        "GET http://blog.example/ HTTP/1.1 | Host: shop.example | false",
        "GET http://blog.example:80/ HTTP/1.1 | Host: | false",
        "GET http://blog.example/ HTTP/1.0 | X: y | false",
        "GET http://shop.example@blog.example/ HTTP/1.1 | Host: shop.example | false",
        "GET http://shop.example:80@blog.example/ HTTP/1.1 | Host: shop.example | false",
        "CONNECT blog.example:443 HTTP/1.1 | Host: shop.example | false"
      })
  void everyHostOfARequestMustBeServed(String line, String fields, boolean served)
      throws IOException {
    String request = line + "\r\n" + fields.replace(";", "\r\n") + "\r\n\r\n";
    String right = "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";
    // Whether Tomcat refuses a target and a Host that differ by itself.
    for (String mismatch : new String[] {"false", "true"}) {
      tomcat.getConnector().setProperty("allowHostHeaderMismatch", mismatch);
      List<String> first = statuses(request);
      assertThat(first).as("the first").hasSize(1);
      assertThat(first.getFirst().equals("204")).as(first.getFirst()).isEqualTo(served);
      List<String> later = statuses(right + request);
      assertThat(later).as("a later one").hasSize(2);
      assertThat(later.get(1).equals("204")).as(later.get(1)).isEqualTo(served);
    }
  }

  @Test
  void anHttp2ConnectionIsHeldToTheNamesThatAreServed() throws Exception {
    int port = tls.getLocalPort();
    List<String> request =
        List.of(
            "-sS",
            "--insecure",
            "-o",
            "/dev/null",
            "-w",
            "%{http_version} %{http_code} %{num_connects}\n",
            "--resolve",
            "shop.example:" + port + ":127.0.0.1",
            "https://shop.example:" + port + "/");
    List<String> command = new ArrayList<>(List.of("curl"));
    command.addAll(request);
    command.add("--next");
    command.addAll(request);
    command.addAll(List.of("-H", "Host: blog.example"));
    Process curl;
    try {
      curl = new ProcessBuilder(command).redirectErrorStream(true).start();
    } catch (IOException e) {
      Assumptions.abort("SKIPPED: curl is not installed; ./test says how to install it");
      return;
    }
    String output = new String(curl.getInputStream().readAllBytes(), US_ASCII);
    // The second is on the connection of the first, with another :authority.
    assertThat(output).isEqualTo("2 204 1\n2 421 0\n");
  }

  @Test
  void namesThatNeedTheHandshakeNeedToBeToldIt() {
    ServedNames strict = ServedNames.of("shop.example").onlyTheNameOfTheHandshake();
    assertThatThrownBy(() -> new MisdirectedRequestFilter(strict))
        .isInstanceOf(IllegalArgumentException.class);
    assertThat(new MisdirectedRequestFilter(strict, request -> "shop.example")).isNotNull();
  }

  @ParameterizedTest
  @CsvSource(
      nullValues = "NONE",
      value = {
        "true, NONE, 421",
        "true, '', 421",
        "true, admin.example, 421",
        "true, shop.example, 0",
        "false, NONE, 0"
      })
  @SuppressWarnings("JdkObsolete") // the API's
  void aTlsConnectionIsHeldToTheNameOfItsHandshakeIfItHadOneOrNot(
      boolean secure, @Nullable String serverName, int expected) throws Exception {
    AtomicInteger status = new AtomicInteger();
    HttpServletRequest request =
        stub(
            HttpServletRequest.class,
            (name, arguments) ->
                switch (name) {
                  case "isSecure" -> secure;
                  case "getHeaders" -> Collections.enumeration(List.of("shop.example"));
                  case "getServerName" -> "shop.example";
                  case "getRequestURL" -> new StringBuffer("https://shop.example/");
                  default -> throw new UnsupportedOperationException(name);
                });
    HttpServletResponse response =
        stub(
            HttpServletResponse.class,
            (name, arguments) -> {
              status.set((Integer) arguments[0]);
              return null;
            });
    ServedNames names = ServedNames.of("shop.example", "admin.example").onlyTheNameOfTheHandshake();
    new MisdirectedRequestFilter(names, tls -> serverName)
        .doFilter((ServletRequest) request, response, (passed, answer) -> {});
    assertThat(status.get()).isEqualTo(expected);
  }

  private static <T> T stub(Class<T> type, BiFunction<String, Object[], @Nullable Object> answer) {
    return type.cast(
        Proxy.newProxyInstance(
            type.getClassLoader(),
            new Class<?>[] {type},
            (proxy, method, arguments) -> answer.apply(method.getName(), arguments)));
  }
}
