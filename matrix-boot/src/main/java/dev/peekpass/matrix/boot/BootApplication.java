package dev.peekpass.matrix.boot;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.InputStream;
import java.util.zip.CRC32;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;

/** As any other: the embedded Tomcat, at {@code --server.port}. */
@SpringBootApplication
@RestController
public class BootApplication {
  private static final int CHUNK_BYTES = 1 << 16;
  private static final int CHUNKS = 1024;

  /** Starts it. */
  public static void main(String[] arguments) {
    SpringApplication.run(BootApplication.class, arguments);
  }

  /** The client, as the application sees it. */
  @GetMapping("/whoami")
  public String whoami(HttpServletRequest request) {
    return request.getRemoteAddr() + ":" + request.getRemotePort();
  }

  /** 64 MiB that a torn or shifted copy would not be equal to. */
  @GetMapping("/big")
  public void big(HttpServletResponse response) throws IOException {
    response.setContentLengthLong((long) CHUNKS * CHUNK_BYTES);
    byte[] chunk = new byte[CHUNK_BYTES];
    for (int c = 0; c < CHUNKS; c++) {
      for (int i = 0; i < CHUNK_BYTES; i++) {
        chunk[i] = (byte) (31 * i + 17 * c);
      }
      response.getOutputStream().write(chunk);
    }
  }

  /** The length and checksum of what is sent here. */
  @PostMapping("/sum")
  public String sum(InputStream body) throws IOException {
    CRC32 crc = new CRC32();
    long bytes = 0;
    byte[] chunk = new byte[CHUNK_BYTES];
    for (int n = body.read(chunk); n >= 0; n = body.read(chunk)) {
      crc.update(chunk, 0, n);
      bytes += n;
    }
    return bytes + " " + Long.toHexString(crc.getValue());
  }
}
