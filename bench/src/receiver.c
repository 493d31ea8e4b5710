// The backend of every candidate: takes connections as they come and answers them (answer.h).
//
//   receiver [-t PORT] [-u SOCKET] [-g SOCKET] [-a SOCKET]
//
//   -t  accepts them on a TCP port: what proxies that copy bytes connect to, and clients without a proxy
//   -u  methods once and persistent: a stream socket (docs/protocol.md), -g datagram, -a acknowledged
//
// On -g bytes beside the descriptor, but for a single one, are what the sender has taken off the connection already, as
// sni-router does. It trusts who connects, and checks nothing: the sockets are its own user's.
#include "net.h"
#include "acknowledge.h"
#include "answer.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256, DATAGRAM_BYTES = 65536, MESSAGES_AT_ONCE = 64 };
enum kind { CLIENT, TCP_LISTENER, STREAM_LISTENER, ACK_LISTENER, STREAM, DATAGRAM, ACK_CHANNEL };

struct entry { enum kind kind; struct channel *channel; };
static struct entry *entries;
static int epoll;

static void add(int fd, enum kind kind) {
    entries[fd] = (struct entry){.kind = kind};
    if (kind == ACK_CHANNEL) entries[fd].channel = channel_open(fd);
    watch(epoll, fd, EPOLLIN);
}

static void forget(int fd) {
    entries[fd] = (struct entry){0};
}

static void adopt_all(struct msghdr *message, const uint8_t *bytes, size_t count) {
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        size_t many = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        int fds[MOST_DESCRIPTORS];
        memcpy(fds, CMSG_DATA(header), many * sizeof(int));
        for (size_t i = 0; i < many; i++) answer_adopt(fds[i], 0, bytes, count);
    }
}

// Takes the messages of a stream or datagram socket; a stream's end closes it.
static void receive(int fd, int datagram) {
    static uint8_t bytes[DATAGRAM_BYTES];
    union { char bytes[CMSG_SPACE(MOST_DESCRIPTORS * sizeof(int))]; struct cmsghdr header; } control;
    for (int i = 0; i < MESSAGES_AT_ONCE; i++) {
        struct iovec data = {bytes, datagram ? sizeof bytes : 1};
        struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
        ssize_t count = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        if (count < 0 && errno == EAGAIN) return;
        if (count <= 0 && !datagram) {
            forget(fd);
            close(fd);
            return;
        }
        if (message.msg_flags & MSG_CTRUNC) {
            fprintf(stderr, "receiver: at the limit of open descriptors: raise it (ulimit -n)\n");
            exit(1);
        }
        adopt_all(&message, bytes, datagram && count > 1 ? (size_t)count : 0);
    }
}

static void accept_all(int listener, enum kind kind) {
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (kind == CLIENT) answer_adopt(fd, 0, NULL, 0);
        else add(fd, kind);
    }
}

static void handle(const struct epoll_event *event) {
    int fd = event->data.fd;
    switch (entries[fd].kind) {
    case CLIENT: answer_step(fd, event->events); break;
    case TCP_LISTENER: accept_all(fd, CLIENT); break;
    case STREAM_LISTENER: accept_all(fd, STREAM); break;
    case ACK_LISTENER: accept_all(fd, ACK_CHANNEL); break;
    case STREAM: receive(fd, 0); break;
    case DATAGRAM: receive(fd, 1); break;
    case ACK_CHANNEL: if (!channel_receive(entries[fd].channel)) forget(fd); break;
    }
}

int main(int argc, char **argv) {
    size_t most = raise_descriptor_limit();
    signal(SIGPIPE, SIG_IGN);
    entries = calloc(most, sizeof *entries);
    if (!entries) fail("calloc");
    epoll = epoll_create1(EPOLL_CLOEXEC);
    answer_prepare(epoll, most);
    int option;
    while ((option = getopt(argc, argv, "t:u:g:a:")) > 0) {
        switch (option) {
        case 't': add(listen_tcp(atoi(optarg), 0), TCP_LISTENER); break;
        case 'u': add(listen_unix(optarg, SOCK_STREAM), STREAM_LISTENER); break;
        case 'g': add(listen_unix(optarg, SOCK_DGRAM), DATAGRAM); break;
        case 'a': add(listen_unix(optarg, SOCK_SEQPACKET), ACK_LISTENER); break;
        default: return 2;
        }
    }
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) handle(&events[i]);
    }
}
