package dev.peekpass.wire;

import static dev.peekpass.wire.HelloBuilder.join;
import static dev.peekpass.wire.HelloBuilder.name;
import static dev.peekpass.wire.HelloBuilder.nameList;
import static dev.peekpass.wire.HelloBuilder.u16;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class ClientHelloReaderTest {
  private final ParserScratch scratch = new ParserScratch(1 << 16);
  private final HelloBuilder hello = new HelloBuilder();

  private String read() {
    return read(hello.body());
  }

  private String read(byte[] body) {
    scratch.peeked().begin(Protocol.TLS);
    Cursor message = new Cursor().over(ByteBuffer.wrap(body), 0, body.length);
    return HeadOutcome.of(scratch.clientHello().read(message, scratch.peeked()));
  }

  @Test
  void findsTheServerNameAsSent() {
    hello.serverName("Shop.Example.COM.");
    assertThat(read()).startsWith("found").contains("name=Shop.Example.COM. alpn=[]");
    assertThat(scratch.peeked().host()).hasToString("shop.example.com");
  }

  @Test
  void findsTheAlpnListInWireOrder() {
    hello.alpn("h2", "http/1.1").serverName("a.example");
    assertThat(read()).startsWith("found").contains("name=a.example alpn=[h2, http/1.1]");
    hello.extensions = new byte[0];
    hello.alpn("imap");
    assertThat(read()).startsWith("absent").contains("name= alpn=[imap]");
  }

  @Test
  void seesEncryptedClientHello() {
    assertThat(read()).contains("ech=false");
    hello.extension(0xfe0d, (byte) 0).serverName("public.example");
    assertThat(read()).startsWith("found").contains("name=public.example", "ech=true");
  }

  @Test
  void aHelloMayEndBeforeTheExtensions() {
    hello.extensions = null;
    assertThat(read()).startsWith("absent");
  }

  @Test
  void theExtensionsMayBeEmpty() {
    assertThat(read()).startsWith("absent");
  }

  @Test
  void aHelloCutAnywhereIsInvalidButForTheEndBeforeTheExtensions() {
    hello.serverName("a.example").alpn("h2").extension(0xfe0d, (byte) 1);
    byte[] body = hello.body();
    int extensionsAt = 2 + 32 + 33 + 2 + 4 + 2;
    for (int length = 0; length < body.length; length++) {
      byte[] cut = Arrays.copyOf(body, length);
      String expected = length == extensionsAt ? "absent" : "invalid";
      assertThat(read(cut)).as("%d bytes", length).startsWith(expected);
    }
  }

  @Test
  void bytesAfterTheExtensionsAreInvalid() {
    hello.trailing = new byte[] {0};
    assertThat(read()).startsWith("invalid: bytes after the extensions");
  }

  @Test
  void anyVersionIsForTheServerToJudge() {
    hello.version = 0x7f7f;
    assertThat(read()).startsWith("absent");
  }

  @Test
  void aSessionIdHasAtMost32Bytes() {
    hello.sessionId = new byte[0];
    assertThat(read()).startsWith("absent");
    hello.sessionId = new byte[33];
    assertThat(read()).startsWith("invalid: session_id");
  }

  @Test
  void cipherSuitesAreTwoBytesEachAndOneAtLeast() {
    hello.cipherSuites = new byte[0];
    assertThat(read()).startsWith("invalid: cipher_suites");
    hello.cipherSuites = new byte[3];
    assertThat(read()).startsWith("invalid: cipher_suites");
    hello.cipherSuites = new byte[2];
    assertThat(read()).startsWith("absent");
  }

  @Test
  void aCompressionMethodIsDemanded() {
    hello.compressionMethods = new byte[0];
    assertThat(read()).startsWith("invalid: compression_methods");
  }

  @Test
  void anExtensionMayNotRunOverTheList() {
    hello.extensions = new byte[] {0, 5, 0, 1};
    assertThat(read()).startsWith("invalid: an extension runs over");
    hello.extensions = new byte[] {0, 5, 0};
    assertThat(read()).startsWith("invalid: an extension runs over");
  }

  @Test
  void anExtensionMayNotOccurTwice() {
    hello.extension(0x1234).extension(0x5678).extension(0x1234);
    assertThat(read()).startsWith("invalid: an extension occurs twice");
  }

  @Test
  void extensionsOfTheHelloBeforeAreForgotten() {
    hello.extension(0xffff).serverName("a.example");
    assertThat(read()).startsWith("found");
    assertThat(read()).startsWith("found");
  }

  @Test
  void anEmptyServerNameExtensionIsInvalid() {
    hello.extension(0);
    assertThat(read()).startsWith("invalid: server_name lengths");
  }

  @Test
  void anEmptyServerNameListIsInvalid() {
    hello.extension(0, nameList());
    assertThat(read()).startsWith("invalid: server_name holds an empty list");
  }

  @Test
  void anEmptyHostNameIsInvalid() {
    hello.serverName("");
    assertThat(read()).startsWith("invalid: server_name holds an empty list or name");
  }

  @Test
  void twoHostNamesAreInvalid() {
    hello.extension(0, nameList(name(0, "a.example"), name(0, "b.example")));
    assertThat(read()).startsWith("invalid: server_name holds two names of one type");
  }

  @Test
  void namesOfOtherTypesArePassedOver() {
    hello.extension(0, nameList(name(7, "x"), name(0, "a.example"), name(255, "")));
    assertThat(read()).startsWith("found").contains("name=a.example ");
    hello.extensions = new byte[0];
    hello.extension(0, nameList(name(7, "x")));
    assertThat(read()).startsWith("absent");
    hello.extensions = new byte[0];
    hello.extension(0, nameList(name(7, "x"), name(7, "y")));
    assertThat(read()).startsWith("invalid: server_name holds two names");
  }

  @Test
  void serverNameLengthsMustFitExactly() {
    hello.extension(0, join(u16(5), name(0, "abc")));
    assertThat(read()).startsWith("invalid: server_name lengths");
    hello.extensions = new byte[0];
    hello.extension(0, join(nameList(name(0, "abc")), new byte[1]));
    assertThat(read()).startsWith("invalid: server_name lengths");
    hello.extensions = new byte[0];
    hello.extension(0, nameList(join(new byte[1], u16(4), new byte[3])));
    assertThat(read()).startsWith("invalid: server_name lengths");
  }

  @Test
  void alpnLengthsMustFitExactly() {
    hello.extension(16, join(u16(4), new byte[] {2, 'h', '2'}));
    assertThat(read()).startsWith("invalid: ALPN lengths");
    hello.extensions = new byte[0];
    hello.extension(16, join(u16(3), new byte[] {3, 'h', '2'}));
    assertThat(read()).startsWith("invalid: ALPN lengths");
    hello.extensions = new byte[0];
    hello.extension(16, join(u16(3), new byte[] {2, 'h', '2', 0}));
    assertThat(read()).startsWith("invalid: ALPN lengths");
  }

  @Test
  void anEmptyAlpnListOrNameIsInvalid() {
    hello.extension(16, u16(0));
    assertThat(read()).startsWith("invalid: ALPN holds an empty");
    hello.extensions = new byte[0];
    hello.alpn("h2", "");
    assertThat(read()).startsWith("invalid: ALPN holds an empty");
  }

  @Test
  void controlCharactersAndSpacesInANameAreInvalidAndShown() {
    for (int b = 0; b < 256; b++) {
      for (String name :
          new String[] {"%c", "%cshop.example", "shop%c.example", "shop.example%c"}) {
        hello.extensions = new byte[0];
        hello.serverName(name.formatted((char) b));
        boolean invalid = b <= ' ' || b == 0x7f;
        assertThat(read())
            .as("byte %d in %s", b, name)
            .startsWith(invalid ? "invalid: server_name holds a control character" : "found");
        assertThat(scratch.peeked().host().raw()).isEqualTo(name.formatted((char) b));
      }
    }
  }

  @Test
  void aNameMayHoldOtherBytesAndBeOfAnyLength() {
    hello.serverName("\u00ff:/*");
    assertThat(read()).startsWith("found").contains("name=\u00ff:/* alpn");
    hello.extensions = new byte[0];
    hello.serverName("a".repeat(300));
    assertThat(read()).startsWith("found").contains("name=" + "a".repeat(300));
  }
}
