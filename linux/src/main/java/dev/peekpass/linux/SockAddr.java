package dev.peekpass.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * A socket address in native memory, reused from call to call: {@code sockaddr_in}, {@code
 * sockaddr_in6} or {@code sockaddr_un} (ip(7), ipv6(7), unix(7)).
 */
public final class SockAddr {
  /** The longest UNIX socket path in bytes: sun_path less its terminating zero (unix(7)). */
  public static final int UNIX_PATH_MAX_BYTES = 107;

  private static final ValueLayout.OfShort NET_SHORT =
      JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
  private static final ValueLayout.OfInt NET_INT =
      JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
  private static final ValueLayout.OfLong NET_LONG =
      JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

  /** sizeof(struct sockaddr_storage), socket(7). */
  private static final int CAPACITY_BYTES = 128;

  private static final long PORT = Layouts.offset(Layouts.SOCKADDR_IN, "sin_port");
  private static final long IN_ADDR = Layouts.offset(Layouts.SOCKADDR_IN, "sin_addr");
  private static final long IN6_ADDR = Layouts.offset(Layouts.SOCKADDR_IN6, "sin6_addr");
  private static final long IN6_SCOPE = Layouts.offset(Layouts.SOCKADDR_IN6, "sin6_scope_id");
  private static final long SUN_PATH = 2;

  /**
   * The upper half of ::ffff:0:0/96 is zero; this is what stands above the IPv4 address in the
   * lower.
   */
  private static final long V4_MAPPED = 0xffff_0000_0000L;

  private final MemorySegment memory = Arena.ofAuto().allocate(CAPACITY_BYTES + 8, 8);

  /** Makes an address of no family. */
  public SockAddr() {}

  /**
   * Sets an IP address.
   *
   * @param address IPv4 gives {@code sockaddr_in}, IPv6 {@code sockaddr_in6}
   * @param port 0 to 65535
   * @param scopeId the interface index of a link-local IPv6 address, else 0
   */
  public void inet(InetAddress address, int port, int scopeId) {
    memory.fill((byte) 0);
    byte[] raw = address.getAddress();
    boolean v4 = raw.length == 4;
    memory.set(JAVA_SHORT_UNALIGNED, 0, (short) (v4 ? Linux.AF_INET : Linux.AF_INET6));
    memory.set(NET_SHORT, PORT, (short) port);
    MemorySegment.copy(raw, 0, memory, JAVA_BYTE, v4 ? IN_ADDR : IN6_ADDR, raw.length);
    if (!v4) {
      memory.set(JAVA_INT_UNALIGNED, IN6_SCOPE, scopeId);
    }
    length((int) (v4 ? Layouts.SOCKADDR_IN.byteSize() : Layouts.SOCKADDR_IN6.byteSize()));
  }

  /**
   * Sets an IP address given as IPv6; {@code ::ffff:a.b.c.d} gives {@code sockaddr_in}.
   *
   * @param high its upper 64 bits
   * @param low its lower 64 bits
   * @param port 0 to 65535
   */
  public void inet(long high, long low, int port) {
    memory.fill((byte) 0);
    boolean v4 = high == 0 && low >>> 32 == V4_MAPPED >>> 32;
    memory.set(JAVA_SHORT_UNALIGNED, 0, (short) (v4 ? Linux.AF_INET : Linux.AF_INET6));
    memory.set(NET_SHORT, PORT, (short) port);
    if (v4) {
      memory.set(NET_INT, IN_ADDR, (int) low);
    } else {
      memory.set(NET_LONG, IN6_ADDR, high);
      memory.set(NET_LONG, IN6_ADDR + 8, low);
    }
    length((int) (v4 ? Layouts.SOCKADDR_IN.byteSize() : Layouts.SOCKADDR_IN6.byteSize()));
  }

  /**
   * Sets a UNIX path.
   *
   * @param path 1 to {@link #UNIX_PATH_MAX_BYTES} bytes of UTF-8
   * @throws IllegalArgumentException when it is empty or longer
   */
  public void unix(String path) {
    byte[] raw = path.getBytes(StandardCharsets.UTF_8);
    if (raw.length == 0 || raw.length > UNIX_PATH_MAX_BYTES) {
      throw new IllegalArgumentException(
          "a UNIX socket path has 1 to "
              + UNIX_PATH_MAX_BYTES
              + " bytes, this one has "
              + raw.length
              + ": "
              + path);
    }
    memory.fill((byte) 0);
    memory.set(JAVA_SHORT_UNALIGNED, 0, (short) Linux.AF_UNIX);
    MemorySegment.copy(raw, 0, memory, JAVA_BYTE, SUN_PATH, raw.length);
    length((int) SUN_PATH + raw.length + 1);
  }

  /**
   * Sets an abstract UNIX address (unix(7)), which no file stands for.
   *
   * @param name 1 to {@link #UNIX_PATH_MAX_BYTES} bytes of UTF-8, without the leading zero byte
   * @throws IllegalArgumentException when it is empty or longer
   */
  public void unixAbstract(String name) {
    byte[] raw = name.getBytes(StandardCharsets.UTF_8);
    if (raw.length == 0 || raw.length > UNIX_PATH_MAX_BYTES) {
      throw new IllegalArgumentException(
          "an abstract UNIX address has 1 to " + UNIX_PATH_MAX_BYTES + " bytes: " + name);
    }
    memory.fill((byte) 0);
    memory.set(JAVA_SHORT_UNALIGNED, 0, (short) Linux.AF_UNIX);
    MemorySegment.copy(raw, 0, memory, JAVA_BYTE, SUN_PATH + 1, raw.length);
    length((int) SUN_PATH + 1 + raw.length);
  }

  /** The address family, {@code AF_…}; 0 when none is set. */
  public int family() {
    return memory.get(JAVA_SHORT_UNALIGNED, 0);
  }

  /** The port of an IP address, 0 to 65535. */
  public int port() {
    return memory.get(NET_SHORT, PORT) & 0xffff;
  }

  /**
   * The upper 64 bits of the address as IPv6; 0 for IPv4, which counts as {@code ::ffff:a.b.c.d}.
   */
  public long high() {
    return family() == Linux.AF_INET6 ? memory.get(NET_LONG, IN6_ADDR) : 0;
  }

  /** The lower 64 bits of the address as IPv6; IPv4 counts as {@code ::ffff:a.b.c.d}. */
  public long low() {
    return family() == Linux.AF_INET6
        ? memory.get(NET_LONG, IN6_ADDR + 8)
        : V4_MAPPED | (memory.get(NET_INT, IN_ADDR) & 0xffff_ffffL);
  }

  /**
   * The text of an address given as {@link #high()} and {@link #low()}, with its port: {@code
   * 192.0.2.1:80} or {@code [2001:db8::1]:80}. Mapped IPv4 is shown as IPv4.
   */
  public static String format(long high, long low, int port) {
    StringBuilder text = new StringBuilder(48);
    if (high == 0 && low >>> 32 == 0xffff) {
      text.append(low >>> 24 & 0xff).append('.').append(low >>> 16 & 0xff).append('.');
      text.append(low >>> 8 & 0xff).append('.').append(low & 0xff);
      return text.append(':').append(port).toString();
    }
    return text.append('[').append(formatV6(high, low)).append("]:").append(port).toString();
  }

  /**
   * RFC 5952: no leading zeros, the longest run of two or more zero groups is written {@code ::}.
   */
  private static String formatV6(long high, long low) {
    int[] groups = new int[8];
    for (int i = 0; i < 8; i++) {
      groups[i] = (int) ((i < 4 ? high : low) >>> (48 - 16 * (i & 3))) & 0xffff;
    }
    int bestStart = -1;
    int bestLength = 1;
    for (int i = 0; i < 8; i++) {
      int run = 0;
      while (i + run < 8 && groups[i + run] == 0) {
        run++;
      }
      if (run > bestLength) {
        bestStart = i;
        bestLength = run;
      }
    }
    StringBuilder text = new StringBuilder(40);
    for (int i = 0; i < 8; i++) {
      if (i == bestStart) {
        text.append("::");
        i += bestLength - 1;
        continue;
      }
      if (i > 0 && text.charAt(text.length() - 1) != ':') {
        text.append(':');
      }
      text.append(Integer.toHexString(groups[i]));
    }
    return text.toString();
  }

  /**
   * The IP address that is set; {@code ::ffff:a.b.c.d} gives an IPv4 address, and one that means
   * nothing without its interface has that as its scope.
   */
  public InetAddress inetAddress() {
    byte[] raw = new byte[family() == Linux.AF_INET6 ? 16 : 4];
    MemorySegment.copy(
        memory, JAVA_BYTE, raw.length == 16 ? IN6_ADDR : IN_ADDR, raw, 0, raw.length);
    try {
      int scopeId = raw.length == 16 ? memory.get(JAVA_INT_UNALIGNED, IN6_SCOPE) : 0;
      return scopeId == 0
          ? InetAddress.getByAddress(raw)
          : Inet6Address.getByAddress(null, raw, scopeId);
    } catch (UnknownHostException e) {
      throw new AssertionError("an address of 4 or 16 bytes is always known", e);
    }
  }

  @Override
  public String toString() {
    return switch (family()) {
      case Linux.AF_INET, Linux.AF_INET6 -> format(high(), low(), port());
      case Linux.AF_UNIX -> "unix:" + memory.getString(SUN_PATH);
      default -> "no address";
    };
  }

  /** Where the structure begins. */
  long address() {
    return memory.address();
  }

  /** Where its length stands, for calls that read and write it. */
  long lengthAddress() {
    return memory.address() + CAPACITY_BYTES;
  }

  /** Its length in bytes. */
  int length() {
    return memory.get(JAVA_INT_UNALIGNED, CAPACITY_BYTES);
  }

  private void length(int bytes) {
    memory.set(JAVA_INT_UNALIGNED, CAPACITY_BYTES, bytes);
  }

  /** Gives the whole capacity to a call that fills the address in. */
  void prepareToReceive() {
    memory.set(JAVA_SHORT_UNALIGNED, 0, (short) 0);
    length(CAPACITY_BYTES);
  }
}
