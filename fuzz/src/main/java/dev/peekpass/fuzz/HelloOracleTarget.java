package dev.peekpass.fuzz;

import dev.peekpass.wire.ClientHelloParser;
import dev.peekpass.wire.ParserScratch;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.ssl.AbstractSniHandler;
import io.netty.util.concurrent.Future;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.List;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SNIMatcher;
import javax.net.ssl.SNIServerName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.StandardConstants;
import javax.net.ssl.X509ExtendedKeyManager;
import org.jspecify.annotations.Nullable;

/** ClientHellos beside two other readers: the JDK's TLS server, and Netty's handler of names. */
public final class HelloOracleTarget {
  private static final int LIMIT_BYTES = 16 * 1024;
  private static final int MOST_ROUNDS = 64;

  private static final ParserScratch SCRATCH = new ParserScratch(LIMIT_BYTES);
  private static final ClientHelloParser PARSER = new ClientHelloParser(SCRATCH);
  private static final int HANDSHAKE_RECORD = 22;

  /**
   * Groups that clients support and send no key for, so that most of them would be asked for one:
   * that takes no arithmetic.
   */
  private static final String[] SELDOM_SHARED = {
    "secp384r1", "secp521r1", "ffdhe2048", "ffdhe3072", "x448"
  };

  private static final Keys KEYS = new Keys();
  private static final SSLContext TLS = tls();
  private static final ByteBuffer PLAIN = ByteBuffer.allocate(LIMIT_BYTES + 2048);
  private static final ByteBuffer NOTHING = ByteBuffer.allocate(0);

  private HelloOracleTarget() {}

  private static SSLContext tls() {
    try {
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(new KeyManager[] {KEYS}, null, null);
      return context;
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Takes one input: the first bytes of a TLS connection. */
  public static void fuzzerTestOneInput(byte[] input) {
    PARSER.reset();
    Reading ours = Reading.of(PARSER.parse(ByteBuffer.wrap(input), input.length), SCRATCH);
    if (ours.refused()) {
      return;
    }
    ours.expectSame(byNetty(input), "Netty");
    ours.expectSame(byTheJdk(input), "the JDK");
  }

  /** Takes the name, and lets nothing come of it. */
  private static final class Netty extends AbstractSniHandler<Void> {
    private @Nullable String name;
    private boolean asked;

    @Override
    protected Future<Void> lookup(ChannelHandlerContext context, String hostname) {
      asked = true;
      name = hostname;
      return context.executor().newFailedFuture(new IllegalStateException("seen"));
    }

    @Override
    protected void onLookupComplete(
        ChannelHandlerContext context, String hostname, Future<Void> future) {
      // Nothing follows.
    }
  }

  static Reading byNetty(byte[] input) {
    Netty handler = new Netty();
    EmbeddedChannel channel = new EmbeddedChannel(handler);
    try {
      channel.writeInbound(Unpooled.wrappedBuffer(input));
    } catch (RuntimeException e) {
      // It refuses the bytes: what it had seen by then does not count.
      return Reading.REFUSED;
    } finally {
      Channels.end(channel);
    }
    // No name is what it says of bytes that it cannot read, too.
    return handler.asked && handler.name != null ? Reading.of(handler.name) : Reading.REFUSED;
  }

  /** Takes the name, and refuses it. */
  private static final class Matcher extends SNIMatcher {
    private byte @Nullable [] name;

    Matcher() {
      super(StandardConstants.SNI_HOST_NAME);
    }

    @Override
    public boolean matches(SNIServerName serverName) {
      name = serverName.getEncoded();
      return false;
    }
  }

  /** Is asked for a key once a hello has been read and a cipher suite chosen, and has none. */
  private static final class Keys extends X509ExtendedKeyManager {
    private boolean asked;

    @Override
    public @Nullable String chooseEngineServerAlias(
        String keyType, Principal @Nullable [] issuers, SSLEngine engine) {
      asked = true;
      return null;
    }

    @Override
    public @Nullable String chooseServerAlias(
        String keyType, Principal @Nullable [] issuers, @Nullable Socket socket) {
      return null;
    }

    @Override
    public @Nullable String chooseClientAlias(
        String[] keyTypes, Principal @Nullable [] issuers, @Nullable Socket socket) {
      return null;
    }

    @Override
    public String @Nullable [] getClientAliases(String keyType, Principal @Nullable [] issuers) {
      return null;
    }

    @Override
    public String @Nullable [] getServerAliases(String keyType, Principal @Nullable [] issuers) {
      return null;
    }

    @Override
    public X509Certificate @Nullable [] getCertificateChain(String alias) {
      return null;
    }

    @Override
    public @Nullable PrivateKey getPrivateKey(String alias) {
      return null;
    }
  }

  /**
   * What the JDK's server makes of a hello. That it saw no name counts only when it goes on without
   * one: it asks for a key, or the client for another hello (HelloRetryRequest).
   */
  static Reading byTheJdk(byte[] input) {
    Matcher matcher = new Matcher();
    KEYS.asked = false;
    SSLEngine engine = TLS.createSSLEngine();
    engine.setUseClientMode(false);
    SSLParameters parameters = engine.getSSLParameters();
    parameters.setSNIMatchers(List.of(matcher));
    parameters.setNamedGroups(SELDOM_SHARED);
    engine.setSSLParameters(parameters);
    ByteBuffer bytes = ByteBuffer.wrap(input);
    boolean goesOn = false;
    try {
      for (int round = 0; round < MOST_ROUNDS && matcher.name == null; round++) {
        SSLEngineResult result = engine.unwrap(bytes, PLAIN.clear());
        if (result.getHandshakeStatus() == SSLEngineResult.HandshakeStatus.NEED_TASK) {
          for (Runnable task = engine.getDelegatedTask();
              task != null;
              task = engine.getDelegatedTask()) {
            task.run();
          }
        } else if (result.getHandshakeStatus() == SSLEngineResult.HandshakeStatus.NEED_WRAP) {
          engine.wrap(NOTHING, PLAIN.clear());
          goesOn = PLAIN.position() > 0 && PLAIN.get(0) == HANDSHAKE_RECORD;
          break;
        } else if (result.getStatus() != SSLEngineResult.Status.OK || !bytes.hasRemaining()) {
          break;
        }
      }
    } catch (SSLException e) {
      // It refuses the hello; what was seen before counts.
      goesOn = false;
    }
    byte[] name = matcher.name;
    if (name != null) {
      return Reading.of(new String(name, StandardCharsets.ISO_8859_1));
    }
    return goesOn || KEYS.asked ? Reading.of(null) : Reading.REFUSED;
  }
}
