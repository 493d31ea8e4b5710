package dev.peekpass.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.StructLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LayoutsTest {

  @Test
  void epollEventIsPackedOnX86AndAlignedOnArm() {
    StructLayout x86 = Layouts.epollEvent("amd64");
    StructLayout arm = Layouts.epollEvent("aarch64");

    assertThat(x86.byteSize()).isEqualTo(12);
    assertThat(Layouts.offset(x86, "data")).isEqualTo(4);
    assertThat(arm.byteSize()).isEqualTo(16);
    assertThat(Layouts.offset(arm, "data")).isEqualTo(8);
  }

  @Test
  void anotherArchitectureIsRefusedByName() {
    assertThatThrownBy(() -> Layouts.epollEvent("riscv64")).hasMessageContaining("riscv64");
  }

  @Test
  void structuresHaveTheSizesOfThe64BitAbi() {
    assertThat(Layouts.IOVEC.byteSize()).isEqualTo(16);
    assertThat(Layouts.MSGHDR.byteSize()).isEqualTo(56);
    assertThat(Layouts.CMSGHDR.byteSize()).isEqualTo(16);
    assertThat(Layouts.UCRED.byteSize()).isEqualTo(12);
    assertThat(Layouts.SOCKADDR_IN.byteSize()).isEqualTo(16);
    assertThat(Layouts.SOCKADDR_IN6.byteSize()).isEqualTo(28);
    assertThat(Layouts.RLIMIT.byteSize()).isEqualTo(16);
    assertThat(Layouts.POLLFD.byteSize()).isEqualTo(8);
    assertThat(Layouts.SOCK_FILTER.byteSize()).isEqualTo(8);
    assertThat(Layouts.SOCK_FPROG.byteSize()).isEqualTo(16);
  }

  @Test
  void controlMessageSizesAreThoseOfTheMacros() {
    assertThat(Layouts.cmsgLen(4)).isEqualTo(20);
    assertThat(Layouts.cmsgSpace(4)).isEqualTo(24);
    assertThat(Layouts.cmsgSpace(8)).isEqualTo(24);
    assertThat(Layouts.cmsgSpace(253 * 4)).isEqualTo(1032);
  }

  /** Asks the C compiler that builds against this machine's own headers, where there is one. */
  @Test
  @Tag("processes")
  void offsetsAreThoseOfTheCCompiler(@TempDir Path dir) throws Exception {
    Assumptions.assumeTrue(
        compilerWorks(), "SKIPPED: no C compiler (cc) here to compare the layouts with");
    record Field(StructLayout layout, String struct, String field) {}
    List<Field> fields =
        List.of(
            new Field(Layouts.IOVEC, "iovec", "iov_len"),
            new Field(Layouts.MSGHDR, "msghdr", "msg_iov"),
            new Field(Layouts.MSGHDR, "msghdr", "msg_iovlen"),
            new Field(Layouts.MSGHDR, "msghdr", "msg_control"),
            new Field(Layouts.MSGHDR, "msghdr", "msg_controllen"),
            new Field(Layouts.MSGHDR, "msghdr", "msg_flags"),
            new Field(Layouts.CMSGHDR, "cmsghdr", "cmsg_level"),
            new Field(Layouts.CMSGHDR, "cmsghdr", "cmsg_type"),
            new Field(Layouts.UCRED, "ucred", "uid"),
            new Field(Layouts.SOCKADDR_IN, "sockaddr_in", "sin_port"),
            new Field(Layouts.SOCKADDR_IN, "sockaddr_in", "sin_addr"),
            new Field(Layouts.SOCKADDR_IN6, "sockaddr_in6", "sin6_addr"),
            new Field(Layouts.SOCKADDR_IN6, "sockaddr_in6", "sin6_scope_id"),
            new Field(Layouts.POLLFD, "pollfd", "events"),
            new Field(Layouts.POLLFD, "pollfd", "revents"),
            new Field(Layouts.SOCK_FILTER, "sock_filter", "jt"),
            new Field(Layouts.SOCK_FILTER, "sock_filter", "jf"),
            new Field(Layouts.SOCK_FILTER, "sock_filter", "k"),
            new Field(Layouts.SOCK_FPROG, "sock_fprog", "filter"),
            new Field(Layouts.TCP_INFO, "tcp_info", "tcpi_unacked"),
            new Field(Layouts.TCP_INFO, "tcp_info", "tcpi_bytes_received"),
            new Field(Layouts.TCP_INFO, "tcp_info", "tcpi_bytes_sent"),
            new Field(Layouts.EPOLL_EVENT, "epoll_event", "data"));
    StringBuilder source =
        new StringBuilder(
            """
            #define _GNU_SOURCE
            #include <stddef.h>
            #include <stdio.h>
            #include <linux/filter.h>
            #include <netinet/in.h>
            #include <poll.h>
            #include <sys/epoll.h>
            #include <sys/socket.h>
            #include <sys/uio.h>
            #include <linux/tcp.h>
            int main(void) {
            """);
    for (Field f : fields) {
      source.append("printf(\"%%zu\\n\", offsetof(struct %s, %s));\n".formatted(f.struct, f.field));
    }
    source.append("return 0; }\n");
    Path c = Files.writeString(dir.resolve("offsets.c"), source);
    Path program = dir.resolve("offsets");
    assertThat(run("cc", "-o", program.toString(), c.toString())).isEmpty();

    List<String> lines = run(program.toString()).lines().toList();

    for (int i = 0; i < fields.size(); i++) {
      Field f = fields.get(i);
      assertThat(Layouts.offset(f.layout, f.field))
          .as("offsetof(struct %s, %s)", f.struct, f.field)
          .isEqualTo(Long.parseLong(lines.get(i)));
    }
  }

  private static boolean compilerWorks() {
    try {
      run("cc", "--version");
      return true;
    } catch (IOException | InterruptedException e) {
      return false;
    }
  }

  private static String run(String... command) throws IOException, InterruptedException {
    Process p = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(p.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    p.waitFor();
    return output;
  }
}
