package dev.peekpass.wire;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Every message of docs/protocol.md, version 1: its bytes as printed there, and hostile ones. */
class HandOffMessagesTest {
  private final ByteBuffer buffer = ByteBuffer.allocateDirect(HandOff.MAX_MESSAGE_BYTES);
  private final FromReceiver fromReceiver = new FromReceiver();
  private final FromProxy fromProxy = new FromProxy();

  private String hex(int length) {
    byte[] bytes = new byte[length];
    buffer.get(0, bytes);
    return HexFormat.of().formatHex(bytes);
  }

  private static ByteBuffer bytes(String hex) {
    return ByteBuffer.wrap(HexFormat.of().parseHex(hex.replace(" ", "")));
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  @Test
  void aReceiversHello() {
    assertThat(hex(FromReceiver.writeHello(buffer, 253, true, 256)))
        .isEqualTo("0101fd01" + "00000000" + "0001000000000000");

    assertThat(fromReceiver.parse(buffer, 16)).isEqualTo(FromReceiver.Kind.HELLO);
    assertThat(fromReceiver.version()).isEqualTo(1);
    assertThat(fromReceiver.maxConnections()).isEqualTo(253);
    assertThat(fromReceiver.claims()).isTrue();
    assertThat(fromReceiver.granted()).isEqualTo(256);
  }

  @Test
  void anAck() {
    assertThat(hex(FromReceiver.writeAck(buffer, true, 500, 0x0102030405L, 0x0102030505L)))
        .isEqualTo("0201f401" + "00000000" + "0504030201000000" + "0505030201000000");

    assertThat(fromReceiver.parse(buffer, 24)).isEqualTo(FromReceiver.Kind.ACK);
    assertThat(fromReceiver.draining()).isTrue();
    assertThat(fromReceiver.load()).isEqualTo(500);
    assertThat(fromReceiver.settled()).isEqualTo(0x0102030405L);
    assertThat(fromReceiver.granted()).isEqualTo(0x0102030505L);
  }

  @Test
  void aRefusal() {
    assertThat(hex(FromReceiver.writeRefuse(buffer, 7)))
        .isEqualTo("0300000000000000" + "0700000000000000");

    assertThat(fromReceiver.parse(buffer, 16)).isEqualTo(FromReceiver.Kind.REFUSE);
    assertThat(fromReceiver.refused()).isEqualTo(7);
  }

  @Test
  void aDenial() {
    assertThat(hex(FromReceiver.writeDeny(buffer, HandOff.DENIED_USER, 0x01020304)))
        .isEqualTo("04010000" + "04030201" + "0000000000000000");
    assertThat(fromReceiver.parse(buffer, 16)).isEqualTo(FromReceiver.Kind.DENY);
    assertThat(fromReceiver.deniedReason()).isEqualTo(1);
    assertThat(fromReceiver.deniedUid()).isEqualTo(0x01020304);

    assertThat(hex(FromReceiver.writeDeny(buffer, HandOff.DENIED_FULL, HandOff.UID_UNKNOWN)))
        .isEqualTo("04020000" + "ffffffff" + "0000000000000000");
    assertThat(fromReceiver.parse(buffer, 16)).isEqualTo(FromReceiver.Kind.DENY);
    assertThat(fromReceiver.deniedReason()).isEqualTo(2);
    assertThat(fromReceiver.deniedUid()).isEqualTo(HandOff.UID_UNKNOWN);

    assertThat(hex(FromReceiver.writeDeny(buffer, HandOff.DENIED_VERSION, 0)))
        .isEqualTo("04030000" + "00000000" + "0000000000000000");
  }

  @Test
  void aDenialForAReasonOfALaterVersionIsADenial() {
    for (int reason : new int[] {0, 4, 0xff}) {
      FromReceiver.writeDeny(buffer, reason, 33);
      assertThat(fromReceiver.parse(buffer, 16)).isEqualTo(FromReceiver.Kind.DENY);
      assertThat(fromReceiver.deniedReason()).isEqualTo(reason);
      assertThat(fromReceiver.deniedUid()).isEqualTo(33);
    }
  }

  @Test
  void aProxysHello() {
    assertThat(hex(OfferWriter.writeHello(buffer, 1, 1024)))
        .isEqualTo("11010100" + "00040000" + "0000000000000000");

    assertThat(fromProxy.parse(buffer, 16)).isEqualTo(FromProxy.Kind.HELLO);
    assertThat(fromProxy.version()).isEqualTo(1);
    assertThat(fromProxy.words()).isEqualTo(1024);

    assertThat(hex(OfferWriter.writeHello(buffer, 1, 0)))
        .isEqualTo("11010000" + "00000000" + "00000000" + "00000000");
    assertThat(fromProxy.parse(buffer, 16)).isEqualTo(FromProxy.Kind.HELLO);
    assertThat(fromProxy.words()).isZero();
  }

  private int writeOffer() {
    OfferWriter writer = new OfferWriter(buffer);
    writer.begin(5);
    assertThat(writer.beginConnection()).isTrue();
    writer.listener(ascii("[::]:443"));
    writer.routeLine(12);
    writer.protocol(ascii("tls"));
    writer.serverName(ascii("a.example!"), 9);
    writer.alpn(new byte[] {2, 'h', '2'}, 3);
    writer.source(new byte[] {127, 0, 0, 1, 0x1f, (byte) 0x90});
    byte[] v6 = new byte[18];
    v6[15] = 1;
    v6[17] = 80;
    writer.destination(v6);
    writer.offeredBefore();
    writer.endConnection();
    assertThat(writer.beginConnection()).isTrue();
    writer.endConnection();
    assertThat(writer.count()).isEqualTo(2);
    return writer.length();
  }

  @Test
  void anOffer() throws Exception {
    int length = writeOffer();
    assertThat(hex(length))
        .isEqualTo(
            "1202000000000000"
                + "0500000000000000"
                + "4300"
                + ("0108" + HexFormat.of().formatHex(ascii("[::]:443")))
                + ("0204" + "0c000000")
                + ("0303" + HexFormat.of().formatHex(ascii("tls")))
                + ("0409" + HexFormat.of().formatHex(ascii("a.example")))
                + ("0503" + "026832")
                + ("0606" + "7f000001" + "1f90")
                + ("0712" + "00000000000000000000000000000001" + "0050")
                + "0800"
                + "0000");

    assertThat(fromProxy.parse(buffer, length)).isEqualTo(FromProxy.Kind.OFFER);
    assertThat(fromProxy.first()).isEqualTo(5);
    assertThat(fromProxy.count()).isEqualTo(2);
    assertThat(fromProxy.metadata(0))
        .isEqualTo(
            new Metadata(
                "[::]:443",
                12,
                "tls",
                "a.example",
                List.of("h2"),
                new ProxyHeader.Endpoint.Inet(InetAddress.ofLiteral("127.0.0.1"), 8080),
                new ProxyHeader.Endpoint.Inet(InetAddress.ofLiteral("::1"), 80),
                true));
    assertThat(fromProxy.metadata(1)).isEqualTo(Metadata.NONE);
  }

  @Test
  void theBuffersByteOrderDoesNotMatter() {
    buffer.order(ByteOrder.LITTLE_ENDIAN);
    assertThat(hex(FromReceiver.writeHello(buffer, 253, true, 256)))
        .isEqualTo("0101fd01" + "00000000" + "0001000000000000");
    assertThat(fromReceiver.parse(buffer, 16)).isEqualTo(FromReceiver.Kind.HELLO);
    assertThat(fromReceiver.granted()).isEqualTo(256);
  }

  @Test
  void whatIsCutShortIsMalformedAtEveryByte() {
    int offer = writeOffer();
    for (int length = 0; length < offer; length++) {
      assertThat(fromProxy.parse(buffer, length))
          .as("%d", length)
          .isEqualTo(FromProxy.Kind.MALFORMED);
    }
    int hello = OfferWriter.writeHello(buffer, 1, 8);
    for (int length = 0; length < hello; length++) {
      assertThat(fromProxy.parse(buffer, length)).isEqualTo(FromProxy.Kind.MALFORMED);
    }
    int ack = FromReceiver.writeAck(buffer, false, 0, 1, 2);
    for (int length = 0; length < ack; length++) {
      assertThat(fromReceiver.parse(buffer, length)).isEqualTo(FromReceiver.Kind.MALFORMED);
    }
    int refusal = FromReceiver.writeRefuse(buffer, 1);
    for (int length = 0; length < refusal; length++) {
      assertThat(fromReceiver.parse(buffer, length)).isEqualTo(FromReceiver.Kind.MALFORMED);
    }
    int denial = FromReceiver.writeDeny(buffer, 1, 1);
    for (int length = 0; length < denial; length++) {
      assertThat(fromReceiver.parse(buffer, length)).isEqualTo(FromReceiver.Kind.MALFORMED);
    }
    int receiversHello = FromReceiver.writeHello(buffer, 1, false, 1);
    for (int length = 0; length < receiversHello; length++) {
      assertThat(fromReceiver.parse(buffer, length)).isEqualTo(FromReceiver.Kind.MALFORMED);
    }
  }

  @Test
  void bytesBehindAMessageAndUnknownTypesAreRoomToGrow() {
    FromReceiver.writeHello(buffer, 1, false, 1);
    assertThat(fromReceiver.parse(buffer, 40)).isEqualTo(FromReceiver.Kind.HELLO);
    FromReceiver.writeAck(buffer, false, HandOff.LOAD_UNKNOWN, 1, 2);
    assertThat(fromReceiver.parse(buffer, 40)).isEqualTo(FromReceiver.Kind.ACK);
    FromReceiver.writeDeny(buffer, HandOff.DENIED_USER, 1);
    assertThat(fromReceiver.parse(buffer, 40)).isEqualTo(FromReceiver.Kind.DENY);
    assertThat(fromProxy.parse(buffer, writeOffer() + 9)).isEqualTo(FromProxy.Kind.OFFER);
    assertThat(fromReceiver.parse(bytes("7f"), 1)).isEqualTo(FromReceiver.Kind.UNKNOWN);
    assertThat(fromProxy.parse(bytes("7f"), 1)).isEqualTo(FromProxy.Kind.UNKNOWN);
  }

  @Test
  void valuesThatCannotBeAreMalformed() {
    for (String hello :
        List.of(
            "0100fd01 00000000 0001000000000000",
            "01010001 00000000 0001000000000000",
            "0101fe01 00000000 0001000000000000")) {
      assertThat(fromReceiver.parse(bytes(hello), 16)).isEqualTo(FromReceiver.Kind.MALFORMED);
    }
    for (String ack :
        List.of(
            "02020000 00000000 0000000000000000 0000000000000000",
            "0200e903 00000000 0000000000000000 0000000000000000")) {
      assertThat(fromReceiver.parse(bytes(ack), 24)).isEqualTo(FromReceiver.Kind.MALFORMED);
    }
    for (String hello :
        List.of(
            "11000100 00040000 00000000 00000000",
            "11010000 00040000 00000000 00000000",
            "11010100 00000000 00000000 00000000",
            "11010100 03000000 00000000 00000000",
            "11010100 00200000 00000000 00000000",
            "11010100 00000080 00000000 00000000")) {
      assertThat(fromProxy.parse(bytes(hello), 16)).isEqualTo(FromProxy.Kind.MALFORMED);
    }
    for (String offer :
        List.of(
            "1200000000000000 0000000000000000 0000",
            "12fe000000000000 0000000000000000 0000",
            "1201000000000000 0000000000000080 0000",
            "1201000000000000 0000000000000000 0100",
            "1202000000000000 0000000000000000 0000")) {
      ByteBuffer message = bytes(offer);
      assertThat(fromProxy.parse(message, message.capacity()))
          .as(offer)
          .isEqualTo(FromProxy.Kind.MALFORMED);
    }
  }

  @Test
  void metadataThatIsNotWellFormedIsLeftOut() {
    String head = "1201000000000000 0000000000000000 ";
    for (String facts :
        List.of(
            "0300 0205ff", // longer than the record
            "0300 020100", // a line of one byte
            "0500 0503036832", // a name that is longer than the list
            "0400 05020000", // an empty name
            "0700 06057f0000011f", // an address of three bytes
            "0300 990100", // a later version's
            "0100 01")) {
      ByteBuffer message = bytes(head + facts);
      assertThat(fromProxy.parse(message, message.capacity())).isEqualTo(FromProxy.Kind.OFFER);
      assertThat(fromProxy.metadata(0)).as(facts).isEqualTo(Metadata.NONE);
    }
  }

  @Test
  void anOfferNeverOutgrowsItsMessageAndTooLongFactsAreLeftOut() {
    OfferWriter writer = new OfferWriter(buffer);
    byte[] longest = new byte[255];
    Arrays.fill(longest, (byte) 'x');
    writer.begin(0);
    int offered = 0;
    while (writer.beginConnection()) {
      writer.listener(longest);
      writer.protocol(longest);
      writer.serverName(longest, 255);
      // The fourth does not fit into what one connection may have, nor does one of 256 bytes.
      writer.alpn(longest, 255);
      writer.alpn(new byte[256], 256);
      writer.endConnection();
      offered++;
    }
    assertThat(writer.length()).isLessThanOrEqualTo(HandOff.MAX_MESSAGE_BYTES);
    assertThat(offered).isGreaterThan(15);
    assertThat(fromProxy.parse(buffer, writer.length())).isEqualTo(FromProxy.Kind.OFFER);
    assertThat(fromProxy.count()).isEqualTo(offered);
    assertThat(fromProxy.metadata(offered - 1).serverName()).hasSize(255);
    assertThat(fromProxy.metadata(offered - 1).alpn()).isEmpty();
  }

  @Test
  void noBytesMakeThemThrow() {
    Random random = new Random(6);
    for (int round = 0; round < 200_000; round++) {
      byte[] junk = new byte[random.nextInt(96)];
      random.nextBytes(junk);
      if (junk.length > 1 && random.nextBoolean()) {
        junk[0] = (byte) (random.nextBoolean() ? 0x12 : 1 + random.nextInt(4));
        junk[1] = (byte) random.nextInt(3);
      }
      ByteBuffer message = ByteBuffer.wrap(junk);
      String hex = HexFormat.of().formatHex(junk);
      assertThatCode(
              () -> {
                fromReceiver.parse(message, junk.length);
                if (fromProxy.parse(message, junk.length) == FromProxy.Kind.OFFER) {
                  for (int i = 0; i < fromProxy.count(); i++) {
                    fromProxy.metadata(i);
                  }
                }
              })
          .as(hex)
          .doesNotThrowAnyException();
    }
  }

  @Test
  void aClaimWordNamesItsConnection() {
    assertThat(ClaimWord.offered(0)).isEqualTo(1);
    assertThat(ClaimWord.claimed(0)).isEqualTo(2);
    assertThat(ClaimWord.revoked(0)).isEqualTo(3);
    assertThat(ClaimWord.offered(1025)).isEqualTo(4101);
    assertThat(ClaimWord.offered(1)).isNotEqualTo(ClaimWord.offered(1025));
  }
}
