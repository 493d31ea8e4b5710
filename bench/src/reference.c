// The reference: the least that a process must do to accept a connection, look at its first bytes, and pass it on.
//
//   reference PORT SOCKET NAME [BATCH]
//
// Without BATCH ("C-one") each connection takes five system calls: epoll_wait, accept4, recv, sendmsg, close. With it
// ("C-batch") TCP_INFO tells how many connections are queued, so that many are accepted after one wait, and up to BATCH
// share a sendmsg. There are no limits, no deadlines and no counters, and a name that is not NAME is closed.
#include "net.h"
#include "name.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PEEK = 4096, EVENTS = 256 };

static const char *route;
static int epoll, channel, most = 1, queued, queue[MOST_DESCRIPTORS];

// Passes what is queued with one message, and closes it here.
static void pass(void) {
    if (!queued) return;
    union { char bytes[CMSG_SPACE(sizeof queue)]; struct cmsghdr header; } control;
    size_t size = (size_t)queued * sizeof(int);
    char byte = 'P';
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(size)};
    control.header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(size)};
    memcpy(CMSG_DATA(&control.header), queue, size);
    if (sendmsg(channel, &message, MSG_NOSIGNAL) < 0) fail("sendmsg");
    while (queued) close(queue[--queued]);
}

// Whether the connection is done with here; else more bytes must come.
static int look(int fd, int watched) {
    static uint8_t bytes[PEEK];
    ssize_t count = recv(fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) return 0;
    const uint8_t *name = NULL;
    int length = count > 0 ? find_name(bytes, (size_t)count, &name) : -1;
    if (length == 0 && count < PEEK) return 0;
    if (watched) epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);  // it would stay in epoll while it is open elsewhere
    if (length > 0 && (size_t)length == strlen(route) && !strncasecmp((const char *)name, route, (size_t)length)) {
        queue[queued++] = fd;
        if (queued == most) pass();
    } else {
        close(fd);
    }
    return 1;
}

static int accept_queue(int listener) {
    struct tcp_info info;
    socklen_t size = offsetof(struct tcp_info, tcpi_unacked) + sizeof info.tcpi_unacked;
    if (getsockopt(listener, IPPROTO_TCP, TCP_INFO, &info, &size)) fail("TCP_INFO");
    return info.tcpi_unacked ? (int)info.tcpi_unacked : 1;
}

static void take(int listener) {
    for (int left = most > 1 ? accept_queue(listener) : 1; left > 0; left--) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        if (!look(fd, 0)) watch(epoll, fd, EPOLLIN | EPOLLRDHUP | EPOLLET);
    }
}

int main(int argc, char **argv) {
    if (argc < 4 || argc > 5) {
        fprintf(stderr, "usage: reference PORT SOCKET NAME [BATCH]\n");
        return 2;
    }
    route = argv[3];
    if (argc == 5) most = atoi(argv[4]);
    if (most < 1 || most > MOST_DESCRIPTORS) return 2;
    raise_descriptor_limit();
    signal(SIGPIPE, SIG_IGN);
    channel = connect_unix(argv[2], SOCK_STREAM);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_tcp(atoi(argv[1]), 1);
    watch(epoll, listener, EPOLLIN);
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener) take(listener);
            else look(events[i].data.fd, 1);
        }
        pass();
    }
}
