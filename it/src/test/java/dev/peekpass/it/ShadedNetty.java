package dev.peekpass.it;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Collectors;

/**
 * {@link NettyServer} with the package names of a shaded copy of Netty, as shading would make it.
 */
final class ShadedNetty {
  private static final String PLAIN = "io/netty/";
  private static final String SHADED = "io/grpc/netty/shaded/io/netty/";

  // Tags of constants, JVMS table 4.4-B
  private static final int UTF8 = 1;
  private static final int LONG = 5;
  private static final int DOUBLE = 6;
  private static final int CLASS = 7;
  private static final int STRING = 8;
  private static final int METHOD_HANDLE = 15;
  private static final int METHOD_TYPE = 16;

  private ShadedNetty() {}

  /** Writes the renamed classes into a directory; returns a class path without a plain Netty. */
  static String classPath(Path dir, String plain) throws IOException {
    Path shaded = dir.resolve("shaded");
    Path from = Path.of("dev/peekpass/it");
    Files.createDirectories(shaded.resolve(from));
    Path classes =
        Path.of(NettyServer.class.getProtectionDomain().getCodeSource().getLocation().getPath());
    try (var files = Files.newDirectoryStream(classes.resolve(from), "NettyServer*.class")) {
      for (Path file : files) {
        Path renamed = shaded.resolve(from).resolve(file.getFileName());
        try (DataInputStream in = new DataInputStream(Files.newInputStream(file));
            DataOutputStream out = new DataOutputStream(Files.newOutputStream(renamed))) {
          rename(in, out);
        }
      }
    }
    return shaded
        + File.pathSeparator
        + Arrays.stream(plain.split(File.pathSeparator, -1))
            .filter(entry -> !entry.contains("/io/netty/"))
            .collect(Collectors.joining(File.pathSeparator));
  }

  /** Copies a class file with other names in its constant pool (JVMS section 4.4). */
  private static void rename(DataInputStream in, DataOutputStream out) throws IOException {
    out.writeLong(in.readLong());
    int constants = in.readUnsignedShort();
    out.writeShort(constants);
    for (int i = 1; i < constants; i++) {
      int tag = in.readUnsignedByte();
      out.writeByte(tag);
      switch (tag) {
        case UTF8 -> out.writeUTF(in.readUTF().replace(PLAIN, SHADED));
        case LONG, DOUBLE -> {
          out.writeLong(in.readLong());
          // Takes two places.
          i++;
        }
        case METHOD_HANDLE -> out.write(in.readNBytes(3));
        case CLASS, STRING, METHOD_TYPE -> out.writeShort(in.readUnsignedShort());
        default -> out.writeInt(in.readInt());
      }
    }
    in.transferTo(out);
  }
}
