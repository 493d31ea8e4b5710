/*
 * For LD_PRELOAD: SO_PASSCRED is set only when the file that the environment variable GO names is there. What a socket
 * gets before has no sender that the kernel would tell.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int setsockopt(int s, int level, int name, const void *value, socklen_t len)
{
    int left;

    if (level == SOL_SOCKET && name == SO_PASSCRED) {
        /* a minute at most */
        for (left = 6000; left && access(getenv("GO"), F_OK) == -1; left--) {
            usleep(10000);
        }
    }

    return syscall(SYS_setsockopt, s, level, name, value, len);
}
