package dev.peekpass.proxy.confine;

/** Landlock's rights about files and ports (linux/landlock.h, landlock(7)). */
public final class FileAccess {
  public static final long EXECUTE = 1;
  public static final long WRITE_FILE = 1 << 1;
  public static final long READ_FILE = 1 << 2;
  public static final long READ_DIR = 1 << 3;
  public static final long REMOVE_FILE = 1 << 5;
  public static final long MAKE_SOCK = 1 << 9;

  /** Since version 2. */
  public static final long REFER = 1 << 13;

  /** Since version 3. */
  public static final long TRUNCATE = 1 << 14;

  /** Since version 5. */
  public static final long IOCTL_DEV = 1 << 15;

  public static final long READ = READ_FILE | READ_DIR;

  /** What the admin socket needs of its directory: bind, rename and remove. */
  public static final long SOCKET_DIRECTORY = READ_DIR | REMOVE_FILE | MAKE_SOCK;

  /** Those that a rule about a file, which is no directory, may name. */
  private static final long OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV;

  /** Since version 4. */
  public static final long BIND_TCP = 1;

  public static final long CONNECT_TCP = 1 << 1;

  /** Since version 6. */
  public static final long SCOPE_ABSTRACT_UNIX = 1;

  public static final long SCOPE_SIGNAL = 1 << 1;

  private FileAccess() {}

  /** All that a version of Landlock can refuse about files. */
  public static long all(int version) {
    long bits = REFER - 1;
    if (version >= 2) {
      bits |= REFER;
    }
    if (version >= 3) {
      bits |= TRUNCATE;
    }
    return version >= 5 ? bits | IOCTL_DEV : bits;
  }

  /** What of some rights a rule about a file may name. */
  public static long ofFile(long rights) {
    return rights & OF_FILES;
  }
}
