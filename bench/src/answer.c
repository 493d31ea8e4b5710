#include "net.h"
#include "answer.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HANDSHAKE = 0x16, RECORD_HEADER = 5, SESSION_ID_LENGTH = 43, SESSION_ID = 44, MOST_HEAD = 8192, PAYLOAD = 16 << 20 };

struct connection {
    uint8_t open, watched, shared, last;                     // last: to be closed after this answer
    uint16_t kept;                                           // bytes of an incomplete head
    uint8_t *head;
    uint64_t body;                                           // bytes of the answer's body that are still to be sent
};

static const uint8_t ALERT[] = {0x15, 3, 1, 0, 2, 2, 40};
static const char KEEP[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
static const char CLOSE[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
static struct connection *connections;
static int epoll, payload;

void answer_prepare(int to, size_t most) {
    epoll = to;
    connections = calloc(most, sizeof *connections);
    payload = memfd_create("payload", MFD_CLOEXEC);
    if (!connections || payload < 0) fail("memfd_create");
    static uint8_t chunk[1 << 16];
    memset(chunk, 'x', sizeof chunk);
    for (int i = 0; i < PAYLOAD / (int)sizeof chunk; i++) if (write(payload, chunk, sizeof chunk) < 0) fail("write");
}

static void drop(int fd) {
    struct connection *c = &connections[fd];
    if (c->shared) shutdown(fd, SHUT_RDWR);
    free(c->head);
    memset(c, 0, sizeof *c);
    close(fd);
}

static int wait_for_more(int fd) {
    struct connection *c = &connections[fd];
    if (!c->watched) watch(epoll, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
    c->watched = 1;
    return 0;
}

// The rest of these: 1 go on, 0 nothing more to do now.

static int say(int fd, const void *bytes, size_t size, int flags) {
    if (send(fd, bytes, size, MSG_NOSIGNAL | flags) == (ssize_t)size) return 1;
    drop(fd);
    return 0;
}

static int send_body(int fd) {
    struct connection *c = &connections[fd];
    while (c->body) {
        off_t from = 0;
        ssize_t sent = sendfile(fd, payload, &from, c->body < PAYLOAD ? (size_t)c->body : PAYLOAD);
        if (sent < 0 && errno == EAGAIN) return wait_for_more(fd);
        if (sent < 0) {
            drop(fd);
            return 0;
        }
        c->body -= (uint64_t)sent;
    }
    if (c->last) drop(fd);
    return connections[fd].open;
}

static int answer_request(int fd, const char *head) {
    struct connection *c = &connections[fd];
    c->last = strcasestr(head, "connection: close") != NULL;
    if (strncmp(head, "GET /bytes/", 11)) {
        int done = c->last ? say(fd, CLOSE, sizeof CLOSE - 1, 0) : say(fd, KEEP, sizeof KEEP - 1, 0);
        if (done && c->last) drop(fd);
        return done && !connections[fd].last && connections[fd].open;
    }
    c->body = strtoull(head + 11, NULL, 10);
    char answer[128];
    int size = snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n", (unsigned long long)c->body);
    return say(fd, answer, (size_t)size, MSG_MORE) && send_body(fd);
}

static int answer_hello(int fd, const uint8_t *hello) {
    int last = hello[SESSION_ID_LENGTH] > 0 && hello[SESSION_ID] == 'C';
    if (!say(fd, ALERT, sizeof ALERT, 0)) return 0;
    if (last) drop(fd);
    return !last;
}

// Answers one request or hello; returns how long it was, 0 when it is incomplete, -1 when there is no more to do.
static ssize_t answer_one(int fd, uint8_t *bytes, size_t count) {
    if (bytes[0] == HANDSHAKE) {
        if (count < RECORD_HEADER) return 0;
        size_t size = RECORD_HEADER + ((size_t)bytes[3] << 8 | bytes[4]);
        if (count < size || size <= SESSION_ID) return 0;
        return answer_hello(fd, bytes) ? (ssize_t)size : -1;
    }
    uint8_t *blank = memmem(bytes, count, "\r\n\r\n", 4);
    if (!blank) return 0;
    *blank = 0;
    return answer_request(fd, (const char *)bytes) ? blank + 4 - bytes : -1;
}

static void keep(int fd, const uint8_t *bytes, size_t count) {
    struct connection *c = &connections[fd];
    free(c->head);
    c->head = NULL;
    c->kept = (uint16_t)count;
    if (!count) return;
    c->head = malloc(count);
    if (!c->head) fail("malloc");
    memcpy(c->head, bytes, count);
}

// Answers all that is complete in the bytes and keeps the rest.
static int answer_all(int fd, uint8_t *bytes, size_t count) {
    size_t at = 0;
    while (at < count) {
        ssize_t used = answer_one(fd, bytes + at, count - at);
        if (used < 0) return 0;
        if (used == 0) break;
        at += (size_t)used;
    }
    keep(fd, bytes + at, count - at);
    return 1;
}

static void answer(int fd) {
    uint8_t bytes[MOST_HEAD + 1];
    for (;;) {
        struct connection *c = &connections[fd];
        if (c->kept == MOST_HEAD) {
            drop(fd);
            return;
        }
        if (c->kept) memcpy(bytes, c->head, c->kept);
        ssize_t count = recv(fd, bytes + c->kept, MOST_HEAD - c->kept, MSG_DONTWAIT);
        if (count < 0 && errno == EAGAIN) {
            wait_for_more(fd);
            return;
        }
        if (count <= 0) {
            drop(fd);
            return;
        }
        if (!answer_all(fd, bytes, c->kept + (size_t)count)) return;
    }
}

void answer_adopt(int fd, int shared, const void *bytes, size_t count) {
    connections[fd].open = 1;
    connections[fd].shared = (uint8_t)shared;
    if (count) {
        uint8_t copy[MOST_HEAD + 1];
        if (count > MOST_HEAD) count = MOST_HEAD;
        memcpy(copy, bytes, count);
        if (!answer_all(fd, copy, count)) return;
    }
    answer(fd);
}

void answer_step(int fd, uint32_t events) {
    if (!connections[fd].open) return;
    if (events & (EPOLLERR | EPOLLHUP)) drop(fd);
    else if (send_body(fd)) answer(fd);
}
