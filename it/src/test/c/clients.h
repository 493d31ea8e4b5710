// What the clients of load.c and abuse.c have in common: one epoll, and many connections to one port of loopback.
#ifndef CLIENTS_H
#define CLIENTS_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

static struct sockaddr_in to = {.sin_family = AF_INET};
static const char *host = "localhost";
static int epoll_fd;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

// A socket that is to be bound to an address, and gets its port with connect.
static int new_socket_of(int family) {
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket: raise the limit of open files");
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    return fd;
}

static inline int new_socket(void) {
    return new_socket_of(AF_INET);
}

static void bind_from(int fd, const struct sockaddr_in *from) {
    if (bind(fd, (const struct sockaddr *)from, sizeof *from))
        die("bind");
}

// 0, or what connect says beside that it is under way.
static int begin_connect_to(int fd, const struct sockaddr *address, socklen_t length) {
    return connect(fd, address, length) && errno != EINPROGRESS ? errno : 0;
}

static int begin_connect(int fd) {
    return begin_connect_to(fd, (const struct sockaddr *)&to, sizeof to);
}

static void watch(int fd, uint32_t slot) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.u32 = slot};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event))
        die("epoll_ctl");
}

#endif
