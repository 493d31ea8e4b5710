package dev.peekpass.receiver;

import java.io.FileInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * A receiver in a process that has not one descriptor left when the first connection comes: PATH
 * STREAM|DATAGRAM. Everything but the receiver is set up before, so that what fails is the
 * receiver's. It goes on as lines on standard input say, and ends with the input.
 */
final class FullProcess {
  private static final long POLL_MILLIS = 1;

  private FullProcess() {}

  public static void main(String[] arguments) throws Exception {
    Receiver receiver =
        Receiver.builder(Path.of(arguments[0])).type(SocketType.valueOf(arguments[1])).open();
    LinkedBlockingQueue<SocketChannel> accepted = new LinkedBlockingQueue<>();
    Deque<FileInputStream> fillers = fill();
    System.out.println("full");
    Thread.ofPlatform().daemon().start(() -> accept(receiver, accepted));
    awaitWait(receiver, 0);
    System.out.println("waiting");
    System.in.read();
    // From here on the connections themselves fill it: none is answered before it is full again.
    for (FileInputStream filler : fillers) {
      filler.close();
    }
    long waits = receiver.statistics().waitsForRoom();
    System.out.println("room");
    awaitWait(receiver, waits);
    System.out.println("full of connections");
    Thread.ofPlatform().daemon().start(() -> answer(accepted));
    while (System.in.read() >= 0) {
      // The test says when to end.
    }
    System.out.println(receiver.statistics());
    System.exit(0);
  }

  private static Deque<FileInputStream> fill() {
    Deque<FileInputStream> fillers = new ArrayDeque<>();
    List<IOException> full = new ArrayList<>();
    while (full.isEmpty()) {
      try {
        fillers.push(new FileInputStream("/dev/null"));
      } catch (IOException e) {
        full.add(e);
      }
    }
    return fillers;
  }

  private static void awaitWait(Receiver receiver, long before) throws InterruptedException {
    while (receiver.statistics().waitsForRoom() <= before) {
      TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
    }
  }

  private static void accept(Receiver receiver, LinkedBlockingQueue<SocketChannel> accepted) {
    try {
      while (true) {
        accepted.add(receiver.accept());
      }
    } catch (Throwable e) {
      System.out.println("accept ended: " + e);
      e.printStackTrace(System.out);
      Runtime.getRuntime().halt(3);
    }
  }

  /** Tells each client its own address. */
  private static void answer(LinkedBlockingQueue<SocketChannel> accepted) {
    try {
      while (true) {
        try (SocketChannel connection = accepted.take()) {
          String client = connection.getRemoteAddress().toString();
          connection.write(ByteBuffer.wrap(client.getBytes(StandardCharsets.US_ASCII)));
        }
      }
    } catch (IOException | InterruptedException e) {
      System.out.println("answering ended: " + e);
      Runtime.getRuntime().halt(4);
    }
  }
}
