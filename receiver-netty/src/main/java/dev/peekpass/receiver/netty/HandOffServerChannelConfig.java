package dev.peekpass.receiver.netty;

import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.ChannelOption;
import io.netty.channel.DefaultChannelConfig;
import io.netty.channel.MessageSizeEstimator;
import io.netty.channel.RecvByteBufAllocator;
import io.netty.channel.ServerChannelRecvByteBufAllocator;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.socket.ServerSocketChannelConfig;
import java.util.Map;

/**
 * The options of a {@link HandOffServerChannel}: those of every channel, and {@code SO_BACKLOG},
 * how many UNIX connections may wait to be accepted. Options of TCP listeners belong to the
 * proxy's; set here they are logged as unknown, as Netty does.
 */
public final class HandOffServerChannelConfig extends DefaultChannelConfig
    implements ServerSocketChannelConfig {
  private static final int BACKLOG = 4096;

  private final HandOffServerChannel server;
  private volatile int backlog = BACKLOG;

  HandOffServerChannelConfig(HandOffServerChannel server) {
    super(server, new ServerChannelRecvByteBufAllocator());
    this.server = server;
  }

  /** How many UNIX connections may wait; 4096 unless set. */
  @Override
  public int getBacklog() {
    return backlog;
  }

  /**
   * Sets how many UNIX connections may wait, before the channel is bound.
   *
   * @param connections 1 or more; the kernel lowers it to {@code net.core.somaxconn}
   */
  @Override
  public HandOffServerChannelConfig setBacklog(int connections) {
    if (connections < 1) {
      throw new IllegalArgumentException("at least 1, not " + connections);
    }
    backlog = connections;
    return this;
  }

  @Override
  public Map<ChannelOption<?>, Object> getOptions() {
    return getOptions(super.getOptions(), ChannelOption.SO_BACKLOG);
  }

  @Override
  @SuppressWarnings("unchecked")
  public <T> T getOption(ChannelOption<T> option) {
    if (option.equals(ChannelOption.SO_BACKLOG)) {
      return (T) Integer.valueOf(backlog);
    }
    return super.getOption(option);
  }

  @Override
  public <T> boolean setOption(ChannelOption<T> option, T value) {
    if (option.equals(ChannelOption.SO_BACKLOG)) {
      validate(option, value);
      setBacklog((Integer) value);
      return true;
    }
    return super.setOption(option, value);
  }

  /** False: a UNIX socket's path is not reused by SO_REUSEADDR. */
  @Override
  public boolean isReuseAddress() {
    return false;
  }

  /** Does nothing: it belongs to the proxy's listener. */
  @Override
  public HandOffServerChannelConfig setReuseAddress(boolean reuseAddress) {
    return this;
  }

  /** 0: that of the proxy's listener is not known here. */
  @Override
  public int getReceiveBufferSize() {
    return 0;
  }

  /** Does nothing: it belongs to the proxy's listener. */
  @Override
  public HandOffServerChannelConfig setReceiveBufferSize(int bytes) {
    return this;
  }

  /** Does nothing, as everywhere. */
  @Override
  public HandOffServerChannelConfig setPerformancePreferences(
      int connectionTime, int latency, int bandwidth) {
    return this;
  }

  @Override
  @Deprecated
  public HandOffServerChannelConfig setMaxMessagesPerRead(int messages) {
    super.setMaxMessagesPerRead(messages);
    return this;
  }

  @Override
  public HandOffServerChannelConfig setConnectTimeoutMillis(int millis) {
    super.setConnectTimeoutMillis(millis);
    return this;
  }

  @Override
  public HandOffServerChannelConfig setWriteSpinCount(int count) {
    super.setWriteSpinCount(count);
    return this;
  }

  @Override
  public HandOffServerChannelConfig setAllocator(ByteBufAllocator allocator) {
    super.setAllocator(allocator);
    return this;
  }

  @Override
  public HandOffServerChannelConfig setRecvByteBufAllocator(RecvByteBufAllocator allocator) {
    super.setRecvByteBufAllocator(allocator);
    return this;
  }

  @Override
  public HandOffServerChannelConfig setAutoRead(boolean autoRead) {
    super.setAutoRead(autoRead);
    return this;
  }

  @Override
  public HandOffServerChannelConfig setMessageSizeEstimator(MessageSizeEstimator estimator) {
    super.setMessageSizeEstimator(estimator);
    return this;
  }

  @Override
  public HandOffServerChannelConfig setWriteBufferHighWaterMark(int bytes) {
    super.setWriteBufferHighWaterMark(bytes);
    return this;
  }

  @Override
  public HandOffServerChannelConfig setWriteBufferLowWaterMark(int bytes) {
    super.setWriteBufferLowWaterMark(bytes);
    return this;
  }

  @Override
  public HandOffServerChannelConfig setWriteBufferWaterMark(WriteBufferWaterMark mark) {
    super.setWriteBufferWaterMark(mark);
    return this;
  }

  @Override
  protected void autoReadCleared() {
    server.clearRead();
  }
}
