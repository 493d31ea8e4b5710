package dev.peekpass.linux;

/**
 * Who connected a UNIX socket (SO_PEERCRED, unix(7)).
 *
 * @param pid its process number at the time of connect(2)
 * @param uid its effective user
 * @param gid its effective group
 */
public record PeerCredentials(int pid, int uid, int gid) {}
