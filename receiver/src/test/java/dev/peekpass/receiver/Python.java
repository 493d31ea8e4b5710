package dev.peekpass.receiver;

import java.io.IOException;

/** The foreign language that tests speak with, where it is installed. */
public final class Python {
  private Python() {}

  public static boolean isThere() {
    try (Child python = new Child("python3", "-c", "import socket; print(socket.send_fds)")) {
      return python.output().contains("send_fds");
    } catch (IOException e) {
      return false;
    }
  }
}
