#include "net.h"
#include "client.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ALERT_SIZE = 7, ALERT_RECORD = 0x15, CHUNK = 1 << 20 };

struct talk talk;

static void end(struct client *client, int ok) {
    if (ok) close(client->fd);
    else client_abort(client);
    client->state = CLOSED;
    talk.ended(client, ok);
}

void client_abort(struct client *client) {
    struct linger now = {1, 0};
    setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(client->fd);
    client->state = CLOSED;
}

void client_open(struct client *client, int epoll) {
    int on = 1;
    client->since_ns = now_ns();
    client->got = 0;
    client->state = CONNECTING;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->fd < 0) fail("socket");
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(client->fd, (struct sockaddr *)&talk.address, sizeof talk.address) && errno != EINPROGRESS) {
        end(client, 0);
        return;
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = client};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, client->fd, &event)) fail("epoll_ctl");
}

// What is said is small and the connection new: it fits, or the connection has failed.
static int say(struct client *client, const void *bytes, size_t size, enum state next) {
    client->got = 0;
    client->state = next;
    return send(client->fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size;
}

void client_ask(struct client *client) {
    client->since_ns = now_ns();
    if (!say(client, talk.request, talk.request_size, HEAD)) end(client, 0);
}

static void begin(struct client *client) {
    enum state next = talk.silent ? SILENT : talk.tls ? ALERT : HEAD;
    if (!say(client, talk.opening, talk.opening_size, next)) end(client, 0);
    else if (talk.silent) talk.rests(client);
}

static void answered(struct client *client) {
    if (talk.once) {
        client->state = ENDING;
    } else {
        client->state = RESTING;
        talk.rests(client);
    }
}

// The rest of these: 1 go on reading, 0 wait for more or closed.

static int failed(struct client *client, ssize_t count) {
    if (count < 0 && errno == EAGAIN) return 1;
    if (count > 0) return 0;
    end(client, 0);
    return 1;
}

static int read_alert(struct client *client) {
    ssize_t count = recv(client->fd, client->head + client->got, ALERT_SIZE - client->got, 0);
    if (failed(client, count)) return 0;
    if (client->got == 0) talk.first_byte(now_ns() - client->since_ns);
    client->got += (size_t)count;
    if (client->got < ALERT_SIZE) return 1;
    if (client->head[0] != ALERT_RECORD) {
        end(client, 0);
        return 0;
    }
    if (talk.once) {
        answered(client);
        return 1;
    }
    if (say(client, talk.request, talk.request_size, HEAD)) return 1;
    end(client, 0);
    return 0;
}

static int read_head(struct client *client) {
    ssize_t count = recv(client->fd, client->head + client->got, sizeof client->head - 1 - client->got, 0);
    if (failed(client, count)) return 0;
    if (client->got == 0) talk.first_byte(now_ns() - client->since_ns);
    client->got += (size_t)count;
    client->head[client->got] = 0;
    char *blank = strstr(client->head, "\r\n\r\n");
    if (!blank && client->got < sizeof client->head - 1) return 1;
    char *length = strcasestr(client->head, "content-length:");
    if (!blank || !length || strncmp(client->head + 9, "200", 3)) {
        end(client, 0);
        return 0;
    }
    uint64_t have = (uint64_t)(client->head + client->got - (blank + 4));
    client->body = strtoull(length + 15, NULL, 10) - have;
    client->state = BODY;
    talk.bytes += have;
    return 1;
}

static int read_body(struct client *client) {
    static char chunk[CHUNK];
    while (client->body) {
        size_t want = client->body < CHUNK ? (size_t)client->body : CHUNK;
        ssize_t count = recv(client->fd, chunk, want, talk.discard ? MSG_TRUNC : 0);
        if (failed(client, count)) return 0;
        client->body -= (uint64_t)count;
        talk.bytes += (uint64_t)count;
    }
    answered(client);
    return client->state == ENDING;
}

static int read_end(struct client *client) {
    char byte;
    ssize_t count = recv(client->fd, &byte, 1, 0);
    if (count < 0 && errno == EAGAIN) return 0;
    end(client, count == 0);
    return 0;
}

static int go_on(struct client *client) {
    switch (client->state) {
    case CONNECTING: begin(client); return 0;
    case ALERT: return read_alert(client);
    case HEAD: return read_head(client);
    case BODY: return read_body(client);
    case RESTING:
    case SILENT:                                             // nothing is to come: whatever does is the end of it
        if (recv(client->fd, client->head, 1, MSG_PEEK) < 0 && errno == EAGAIN) return 0;
        end(client, 0);
        return 0;
    case ENDING: return read_end(client);
    case CLOSED: return 0;
    }
    return 0;
}

void client_step(struct client *client) {
    while (go_on(client)) {}
}
