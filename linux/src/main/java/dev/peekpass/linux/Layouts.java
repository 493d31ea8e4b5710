package dev.peekpass.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.StructLayout;

/**
 * The structures of the kernel's interface, field by field. Pointers and size_t are 8 bytes and
 * byte order is little-endian on both architectures; only {@code epoll_event} differs.
 */
final class Layouts {
  /** {@code struct iovec}, readv(2). */
  static final StructLayout IOVEC =
      MemoryLayout.structLayout(JAVA_LONG.withName("iov_base"), JAVA_LONG.withName("iov_len"));

  /** {@code struct msghdr}, recvmsg(2), as glibc and musl lay it out on 64-bit little-endian. */
  static final StructLayout MSGHDR =
      MemoryLayout.structLayout(
          JAVA_LONG.withName("msg_name"),
          JAVA_INT.withName("msg_namelen"),
          MemoryLayout.paddingLayout(4),
          JAVA_LONG.withName("msg_iov"),
          JAVA_LONG.withName("msg_iovlen"),
          JAVA_LONG.withName("msg_control"),
          JAVA_LONG.withName("msg_controllen"),
          JAVA_INT.withName("msg_flags"),
          MemoryLayout.paddingLayout(4));

  /** {@code struct cmsghdr}, cmsg(3), without its data. */
  static final StructLayout CMSGHDR =
      MemoryLayout.structLayout(
          JAVA_LONG.withName("cmsg_len"),
          JAVA_INT.withName("cmsg_level"),
          JAVA_INT.withName("cmsg_type"));

  /** {@code struct ucred}, unix(7). */
  static final StructLayout UCRED =
      MemoryLayout.structLayout(
          JAVA_INT.withName("pid"), JAVA_INT.withName("uid"), JAVA_INT.withName("gid"));

  /** {@code struct sockaddr_in}, ip(7); port and address are in network order. */
  static final StructLayout SOCKADDR_IN =
      MemoryLayout.structLayout(
          JAVA_SHORT.withName("sin_family"),
          JAVA_SHORT.withName("sin_port"),
          JAVA_INT.withName("sin_addr"),
          MemoryLayout.paddingLayout(8));

  /** {@code struct sockaddr_in6}, ipv6(7); port and address are in network order. */
  static final StructLayout SOCKADDR_IN6 =
      MemoryLayout.structLayout(
          JAVA_SHORT.withName("sin6_family"),
          JAVA_SHORT.withName("sin6_port"),
          JAVA_INT.withName("sin6_flowinfo"),
          MemoryLayout.sequenceLayout(4, JAVA_INT).withName("sin6_addr"),
          JAVA_INT.withName("sin6_scope_id"));

  /** {@code struct rlimit}, getrlimit(2). */
  static final StructLayout RLIMIT =
      MemoryLayout.structLayout(JAVA_LONG.withName("rlim_cur"), JAVA_LONG.withName("rlim_max"));

  /** {@code struct linger}, socket(7). */
  static final StructLayout LINGER =
      MemoryLayout.structLayout(JAVA_INT.withName("l_onoff"), JAVA_INT.withName("l_linger"));

  /** {@code struct pollfd}, poll(2). */
  static final StructLayout POLLFD =
      MemoryLayout.structLayout(
          JAVA_INT.withName("fd"), JAVA_SHORT.withName("events"), JAVA_SHORT.withName("revents"));

  /** {@code struct sock_filter}, linux/filter.h: one instruction. */
  static final StructLayout SOCK_FILTER =
      MemoryLayout.structLayout(
          JAVA_SHORT.withName("code"),
          JAVA_BYTE.withName("jt"),
          JAVA_BYTE.withName("jf"),
          JAVA_INT.withName("k"));

  /** {@code struct sock_fprog}, linux/filter.h. */
  static final StructLayout SOCK_FPROG =
      MemoryLayout.structLayout(
          JAVA_SHORT.withName("len"), MemoryLayout.paddingLayout(6), JAVA_LONG.withName("filter"));

  /** {@code struct tcp_info}, linux/tcp.h, up to {@code tcpi_bytes_sent}. */
  static final StructLayout TCP_INFO =
      MemoryLayout.structLayout(
          MemoryLayout.sequenceLayout(8, JAVA_BYTE).withName("tcpi_state_to_flags"),
          JAVA_INT.withName("tcpi_rto"),
          JAVA_INT.withName("tcpi_ato"),
          JAVA_INT.withName("tcpi_snd_mss"),
          JAVA_INT.withName("tcpi_rcv_mss"),
          JAVA_INT.withName("tcpi_unacked"),
          MemoryLayout.sequenceLayout(19, JAVA_INT).withName("tcpi_sacked_to_total_retrans"),
          JAVA_LONG.withName("tcpi_pacing_rate"),
          JAVA_LONG.withName("tcpi_max_pacing_rate"),
          JAVA_LONG.withName("tcpi_bytes_acked"),
          JAVA_LONG.withName("tcpi_bytes_received"),
          MemoryLayout.sequenceLayout(4, JAVA_INT).withName("tcpi_segs_out_to_min_rtt"),
          JAVA_INT.withName("tcpi_data_segs_in"),
          JAVA_INT.withName("tcpi_data_segs_out"),
          MemoryLayout.sequenceLayout(4, JAVA_LONG)
              .withName("tcpi_delivery_rate_to_sndbuf_limited"),
          JAVA_INT.withName("tcpi_delivered"),
          JAVA_INT.withName("tcpi_delivered_ce"),
          JAVA_LONG.withName("tcpi_bytes_sent"));

  /** This machine's {@code struct epoll_event}. */
  static final StructLayout EPOLL_EVENT = epollEvent(System.getProperty("os.arch", ""));

  private Layouts() {}

  /**
   * {@code struct epoll_event}, epoll_ctl(2): packed to 12 bytes on x86-64 so that 32-bit programs
   * could share it, 16 bytes with natural alignment everywhere else.
   *
   * @param arch as in the system property {@code os.arch}
   */
  static StructLayout epollEvent(String arch) {
    return switch (arch) {
      case "amd64", "x86_64" ->
          MemoryLayout.structLayout(
              JAVA_INT.withName("events"), JAVA_LONG_UNALIGNED.withName("data"));
      case "aarch64" ->
          MemoryLayout.structLayout(
              JAVA_INT.withName("events"),
              MemoryLayout.paddingLayout(4),
              JAVA_LONG.withName("data"));
      default ->
          throw new IllegalStateException(
              "Peekpass runs on Linux x86-64 and aarch64; this JVM says os.arch=" + arch);
    };
  }

  static long offset(StructLayout layout, String field) {
    return layout.byteOffset(PathElement.groupElement(field));
  }

  /** CMSG_ALIGN, cmsg(3). */
  static long cmsgAlign(long bytes) {
    return (bytes + 7) & ~7L;
  }

  /** CMSG_LEN, cmsg(3): header and data. */
  static long cmsgLen(long dataBytes) {
    return CMSGHDR.byteSize() + dataBytes;
  }

  /** CMSG_SPACE, cmsg(3): header, data and padding. */
  static long cmsgSpace(long dataBytes) {
    return CMSGHDR.byteSize() + cmsgAlign(dataBytes);
  }
}
