package dev.peekpass.receiver.netty;

import dev.peekpass.linux.Fd;
import dev.peekpass.receiver.DescriptorReceiver;
import dev.peekpass.receiver.HandedOff;
import dev.peekpass.receiver.Receiver;
import dev.peekpass.receiver.ReceiverBuilder;
import dev.peekpass.receiver.SocketType;
import dev.peekpass.receiver.Statistics;
import dev.peekpass.wire.Metadata;
import io.netty.channel.AbstractServerChannel;
import io.netty.channel.ChannelPromise;
import io.netty.channel.EventLoop;
import io.netty.channel.IoEvent;
import io.netty.channel.IoEventLoop;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.epoll.EpollIoOps;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.socket.ServerSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.FileDescriptor;
import io.netty.util.AttributeKey;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.AlreadyBoundException;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * Takes the place of {@code EpollServerSocketChannel}: its children are the connections that a
 * proxy hands off.
 *
 * {@snippet lang = java:
 * new ServerBootstrap()
 *     .group(bosses, workers)                       // both on EpollIoHandler
 *     .channel(HandOffServerChannel.class)          // the only line that differs
 *     .childHandler(initializer)
 *     .bind(new DomainSocketAddress("/run/app.sock"));
 * }
 *
 * <p>Children are {@link EpollSocketChannel}s, of the class that Netty's own accept makes, so child
 * options, handlers, {@code SslHandler}, HTTP/2 and {@code FileRegion} are what they always are. So
 * that it can be their parent this channel is a {@link ServerSocketChannel}, though it has no
 * Internet address: {@link #localAddress} is null, {@link #path} tells where it is.
 *
 * <p><b>Back-pressure.</b> With {@code AUTO_READ} off nothing is received until {@code read()}:
 * connections wait in the kernel's queues and, when these are full, with the proxy. At the
 * process's limit of open descriptors it pauses by itself and loses nothing.
 *
 * <p><b>Acknowledging.</b> The UNIX socket is one of {@link SocketType#ACKNOWLEDGED} unless the
 * settings say otherwise. A connection is claimed when its child is made and acknowledged in the
 * same turn of the event loop; what the proxy says about it is the child's attribute {@link
 * #METADATA}.
 *
 * <p><b>Closing</b> loses nothing: what was offered to be acknowledged and has not become a child
 * goes back to the proxy; of the other types, what was sent still becomes children.
 *
 * <p><b>Threads.</b> As of every Netty channel: it works in its event loop and has no thread of its
 * own.
 */
public final class HandOffServerChannel extends AbstractServerChannel
    implements ServerSocketChannel {
  /**
   * What the proxy says about a child's connection: listener, route, server name, ALPN. {@link
   * Metadata#NONE} when it is not told, null on channels that were not handed off.
   */
  public static final AttributeKey<Metadata> METADATA =
      AttributeKey.valueOf(HandOffServerChannel.class, "METADATA");

  /**
   * Watched for nothing. Not {@code NONE}, after which Netty 4.2 cannot watch the same descriptor
   * again; an epoll descriptor never has EPOLLERR.
   */
  private static final EpollIoOps IDLE = EpollIoOps.EPOLLERR;

  private final HandOffServerChannelConfig config = new HandOffServerChannelConfig(this);
  private final UnaryOperator<ReceiverBuilder> settings;
  private final ChildMaker childMaker = ChildMaker.resolve();

  /** Set when bound; stays for its statistics when closed. */
  private volatile @Nullable DescriptorReceiver receiver;

  private volatile boolean open = true;
  private volatile boolean active;

  // The following belong to the event loop.
  private @Nullable IoRegistration registration;
  private boolean readPending;
  private boolean paused;

  /** With every setting of the receiver at its default, but for the type: acknowledged. */
  public HandOffServerChannel() {
    this(builder -> builder);
  }

  /**
   * With settings of the receiver, as in {@code channelFactory(() -> new
   * HandOffServerChannel(receiver -> receiver.type(SocketType.STREAM).allowUid(33)))}.
   *
   * @param settings given a builder that knows the path when the channel is bound
   */
  public HandOffServerChannel(UnaryOperator<ReceiverBuilder> settings) {
    this.settings = settings;
  }

  /**
   * What it has received so far.
   *
   * @throws IllegalStateException before it is bound
   */
  public Statistics statistics() {
    DescriptorReceiver bound = receiver;
    if (bound == null) {
      throw new IllegalStateException("not bound yet");
    }
    return bound.statistics();
  }

  @Override
  public HandOffServerChannelConfig config() {
    return config;
  }

  @Override
  public boolean isOpen() {
    return open;
  }

  @Override
  public boolean isActive() {
    return active;
  }

  /** Where its socket file is; null before it is bound. */
  public @Nullable Path path() {
    DescriptorReceiver bound = receiver;
    return bound == null ? null : bound.localPath();
  }

  @Override
  public @Nullable InetSocketAddress localAddress() {
    return null;
  }

  @Override
  public @Nullable InetSocketAddress remoteAddress() {
    return null;
  }

  @Override
  protected @Nullable SocketAddress localAddress0() {
    return null;
  }

  @Override
  protected boolean isCompatible(EventLoop loop) {
    return loop instanceof IoEventLoop ioLoop && ioLoop.isCompatible(EpollIoHandle.class);
  }

  @Override
  protected void doRegister(ChannelPromise promise) {
    // There is a descriptor to watch only when it is bound.
    promise.setSuccess();
  }

  @Override
  protected void doBind(SocketAddress localAddress) throws Exception {
    if (receiver != null) {
      throw new AlreadyBoundException();
    }
    Path path =
        switch (localAddress) {
          case DomainSocketAddress address -> Path.of(address.path());
          case UnixDomainSocketAddress address -> address.getPath();
          default ->
              throw new IllegalArgumentException(
                  "bind "
                      + localAddress
                      + ": connections are handed off over a UNIX socket: bind to a"
                      + " DomainSocketAddress");
        };
    DescriptorReceiver bound =
        settings
            .apply(
                Receiver.builder(path).type(SocketType.ACKNOWLEDGED).backlog(config.getBacklog()))
            .openDescriptors();
    // In the event loop this is done when it returns.
    var registering = ((IoEventLoop) eventLoop()).register(new Watched(bound.pollable()));
    if (!registering.isSuccess()) {
      bound.close();
      throw new IOException("cannot watch unix:" + path, registering.cause());
    }
    registration = registering.getNow();
    receiver = bound;
    active = true;
  }

  @Override
  protected void doBeginRead() {
    readPending = true;
    if (paused) {
      return;
    }
    watch(EpollIoOps.EPOLLIN);
    DescriptorReceiver bound = receiver;
    if (bound != null && bound.hasMore()) {
      eventLoop().execute(this::receive);
    }
  }

  @Override
  protected void doDeregister() {
    IoRegistration watched = registration;
    if (watched != null) {
      registration = null;
      watched.cancel();
    }
  }

  @Override
  protected void doClose() throws Exception {
    open = false;
    active = false;
    doDeregister();
    DescriptorReceiver bound = receiver;
    if (bound != null) {
      takeWhatWasSent(bound);
      // Before the end, which gives back what is not acknowledged.
      bound.acknowledge();
      bound.close();
    }
  }

  /** By a plain method, which cannot give anything back; the proxy can send no more meanwhile. */
  private void takeWhatWasSent(DescriptorReceiver bound) throws IOException {
    if (bound.isAcknowledged() || !bound.isOpen()) {
      return;
    }
    try {
      bound.drain();
      // At the limit of descriptors what is left is reset: nobody waits for a channel that closes.
      while (!bound.isDrained() && bound.pauseMillis() == 0) {
        HandedOff received = bound.poll();
        if (received != null) {
          pipeline().fireChannelRead(childMaker.make(this, received));
        }
      }
    } catch (ClosedChannelException e) {
      // A handler has closed it in the middle.
    }
  }

  /** Ends a wish to read that has not been met. */
  void clearRead() {
    if (!isRegistered()) {
      return;
    }
    if (eventLoop().inEventLoop()) {
      stopReading();
    } else {
      eventLoop().execute(this::stopReading);
    }
  }

  private void stopReading() {
    // It may have been turned on again since.
    if (!config.isAutoRead()) {
      readPending = false;
      watch(IDLE);
    }
  }

  private void watch(EpollIoOps ops) {
    IoRegistration watched = registration;
    if (watched != null && watched.isValid()) {
      watched.submit(ops);
    }
  }

  /** Receives up to as many connections as Netty wants in one go, and fires them. */
  private void receive() {
    DescriptorReceiver bound = receiver;
    if (bound == null || !active || paused || !(readPending || config.isAutoRead())) {
      return;
    }
    var allocator = unsafe().recvBufAllocHandle();
    allocator.reset(config);
    @Nullable Exception failure = null;
    try {
      do {
        HandedOff received = bound.pollMore();
        if (received == null) {
          pause(bound.pauseMillis());
          break;
        }
        readPending = false;
        allocator.incMessagesRead(1);
        pipeline().fireChannelRead(childMaker.make(this, received));
      } while (active && allocator.continueReading());
    } catch (ClosedChannelException | RuntimeException e) {
      failure = e;
    }
    bound.acknowledge();
    allocator.readComplete();
    pipeline().fireChannelReadComplete();
    if (failure != null) {
      pipeline().fireExceptionCaught(failure);
    }
    if (!readPending && !config.isAutoRead()) {
      watch(IDLE);
    }
  }

  /** Level-triggered epoll would report again and again what cannot be had now. */
  private void pause(int millis) {
    if (millis == 0) {
      return;
    }
    paused = true;
    watch(IDLE);
    var _ = eventLoop().schedule(this::resume, millis, TimeUnit.MILLISECONDS);
  }

  private void resume() {
    paused = false;
    if (readPending || config.isAutoRead()) {
      watch(EpollIoOps.EPOLLIN);
      receive();
    }
  }

  /** What the event loop knows of this channel. */
  private final class Watched implements EpollIoHandle {
    private final FileDescriptor pollable;

    Watched(Fd pollable) {
      this.pollable = new FileDescriptor(pollable.number());
    }

    @Override
    public FileDescriptor fd() {
      return pollable;
    }

    @Override
    public void handle(IoRegistration watched, IoEvent event) {
      receive();
    }

    @Override
    public void close() {
      // The event loop is being shut down.
      unsafe().close(voidPromise());
    }
  }
}
