// New TCP connections to loopback, each with one HTTP request of its own number and one line in a log. One thread, epoll; it opens
// connections by the clock, however slow the answers come.
//
//   load -p PORT -H HOST -u PATH [-f FILE] -o LOG -r RATE [-n COUNT] [-w MILLIS] [-c MOST] [-s MILLIS] [-6]
//                         RATE connections a second, COUNT of them or until SIGTERM
//   load -p PORT -H HOST -u PATH -f FILE -o LOG -k COUNT
//                         COUNT slow downloads, held until SIGUSR1
//
// The answer must be 200, with FILE as its body, byte by byte (any body where there is no -f), and then end. With -w a client pauses after
// the first bytes of the body; with -c at most so many are open at once, and the rate is lower when answers come slowly. With -s every second
// head comes in two segments with such a pause between them, as over a network; BEGUN is later by that pause, so that ENDED - BEGUN lacks it.
// With -6 every fifth is to [::1], and from there.
// A line: NUMBER BEGUN ENDED CLIENT BACKEND OUTCOME, with times in microseconds of CLOCK_MONOTONIC, the X-Backend of the answer or -, and
// an outcome: ok, refused, reset-at-connect, reset, no-answer, short, wrong-body, bad-head, status-NNN, late, other-errno-N.
// Held downloads read 8 KiB a second; once all are under way it prints how many, and how many of them have neither all of the body nor the
// rest of it in their socket's buffer. On SIGUSR1 they read as fast as they can.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clients.h"

enum { SLOTS = 65536, HEAD_BYTES = 1024, CHUNK_BYTES = 65536, OPENING = 200, HELD_RECEIVE_BUFFER = 16384, HELD_SEGMENT = 1400, HELD_BYTES_A_SECOND = 8192 };
#define PATIENCE_NS 90000000000ull

enum state { FREE, CONNECTING, HEAD, BODY };

struct connection {
    int fd;
    enum state state;
    uint32_t number;
    int paused, halved;
    uint64_t begun, resume;  // nanoseconds
    size_t got;              // of the body
    size_t head_length;
    union { struct sockaddr_in in; struct sockaddr_in6 in6; struct sockaddr any; } from;
    char backend[32];
    char head[HEAD_BYTES];
};

static struct connection *connections;
static uint32_t free_slots[SLOTS], free_count, used_slots;  // the lowest are used first, and none from used_slots on
static const char *path = "/";
static char *body;
static size_t body_length;
static FILE *log_file;
static int held_count, pause_millis, split_millis, by_ipv6;
static struct half { uint32_t slot, number; } halves[SLOTS];  // those with half a head, oldest first; a ring
static uint32_t halves_first, halves_end;
static uint32_t started, ended, total = UINT32_MAX, under_way, most_open = SLOTS;
static volatile sig_atomic_t stopped, released;

static void on_signal(int signal) {
    if (signal == SIGUSR1)
        released = 1;
    else
        stopped = 1;
}

static void finish(struct connection *c, const char *outcome) {
    char from[INET_ADDRSTRLEN] = "[::1]";
    if (c->from.any.sa_family == AF_INET)
        inet_ntop(AF_INET, &c->from.in.sin_addr, from, sizeof from);
    fprintf(log_file, "%u %llu %llu %s:%d %s %s\n", c->number, (unsigned long long)(c->begun / 1000),
            (unsigned long long)(now() / 1000), from, ntohs(c->from.in.sin_port), c->backend[0] ? c->backend : "-", outcome);
    close(c->fd);
    if (held_count && c->paused && under_way)
        under_way--;
    c->state = FREE;
    free_slots[free_count++] = (uint32_t)(c - connections);
    ended++;
}

static void fail(struct connection *c, int error) {
    char other[32];
    int connecting = c->state == CONNECTING;
    if (error == ECONNREFUSED)
        finish(c, "refused");
    else if (error == ECONNRESET || error == EPIPE)
        finish(c, connecting ? "reset-at-connect" : "reset");
    else {
        snprintf(other, sizeof other, "other-errno-%d", error);
        finish(c, other);
    }
}

static size_t write_request(struct connection *c, char *text, size_t size) {
    return (size_t)snprintf(text, size, "GET %s?n=%u HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, c->number, host);
}

static void request(struct connection *c) {
    char text[512];
    socklen_t length = sizeof c->from;
    getsockname(c->fd, &c->from.any, &length);
    size_t n = write_request(c, text, sizeof text);
    if (split_millis && c->number % 2) {
        n /= 2;
        c->halved = 1;
        c->resume = now() + (uint64_t)split_millis * 1000000;
        halves[halves_end++ % SLOTS] = (struct half){(uint32_t)(c - connections), c->number};
    }
    // It fits into an empty send buffer.
    if (send(c->fd, text, n, MSG_NOSIGNAL) != (ssize_t)n)
        fail(c, errno);
    else
        c->state = HEAD;
}

// Sends the second halves that are due.
static void complete_halves(uint64_t at) {
    while (halves_first != halves_end) {
        struct half half = halves[halves_first % SLOTS];
        struct connection *c = &connections[half.slot];
        // It may have failed, and its slot may be another's by now.
        int is_here = c->state != FREE && c->number == half.number;
        if (is_here && c->resume > at)
            return;
        halves_first++;
        if (!is_here)
            continue;
        char text[512];
        size_t n = write_request(c, text, sizeof text);
        c->begun += now() - c->resume + (uint64_t)split_millis * 1000000;
        c->halved = 0;
        c->resume = 0;
        if (send(c->fd, text + n / 2, n - n / 2, MSG_NOSIGNAL) != (ssize_t)(n - n / 2))
            fail(c, errno);
    }
}

// Returns how many of n bytes belong to the head, or -1 when the connection is finished.
static ssize_t take_head(struct connection *c, const char *bytes, size_t n) {
    size_t room = HEAD_BYTES - 1 - c->head_length, added = n < room ? n : room, before = c->head_length;
    memcpy(c->head + before, bytes, added);
    c->head_length += added;
    c->head[c->head_length] = 0;
    char *end = strstr(c->head, "\r\n\r\n");
    if (end == NULL) {
        if (added < n) {
            finish(c, "bad-head");
            return -1;
        }
        return (ssize_t)n;
    }
    char *backend = strcasestr(c->head, "\r\nX-Backend: ");
    if (backend != NULL && backend < end)
        sscanf(backend + 13, "%31[!-~]", c->backend);
    int status = 0;
    if (sscanf(c->head, "HTTP/1.%*1d %3d", &status) != 1) {
        finish(c, "bad-head");
        return -1;
    }
    if (status != 200) {
        char outcome[32];
        snprintf(outcome, sizeof outcome, "status-%d", status);
        finish(c, outcome);
        return -1;
    }
    c->state = BODY;
    return end + 4 - c->head - (ssize_t)before;
}

// Reads at most so many bytes of what there is.
static void take(struct connection *c, size_t most) {
    static char chunk[CHUNK_BYTES];
    size_t taken = 0;
    while (taken < most) {
        size_t room = most - taken < sizeof chunk ? most - taken : sizeof chunk;
        ssize_t n = recv(c->fd, chunk, room, MSG_DONTWAIT);
        if (n < 0) {
            if (errno != EAGAIN && errno != EINTR)
                fail(c, errno);
            return;
        }
        if (n == 0) {
            finish(c, c->state != BODY ? "no-answer" : body == NULL || c->got == body_length ? "ok" : "short");
            return;
        }
        taken += (size_t)n;
        char *at = chunk;
        if (c->state == HEAD) {
            ssize_t head = take_head(c, chunk, (size_t)n);
            if (head < 0)
                return;
            at += head;
            n -= head;
        }
        if (c->state != BODY)
            continue;
        if (body != NULL && (c->got + (size_t)n > body_length || memcmp(body + c->got, at, (size_t)n) != 0)) {
            finish(c, "wrong-body");
            return;
        }
        c->got += (size_t)n;
        if (c->got > 0 && !c->paused && (held_count ? !released : pause_millis > 0)) {
            c->paused = 1;
            c->resume = now() + (held_count ? 1000 : (uint64_t)pause_millis) * 1000000;
            under_way++;
            return;
        }
    }
}

static void ready(struct connection *c, uint32_t events) {
    if (c->state == CONNECTING) {
        int error = 0;
        socklen_t length = sizeof error;
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &length);
        if (error != 0) {
            fail(c, error);
            return;
        }
        if (!(events & EPOLLOUT))
            return;
        request(c);
    }
    if (c->state == FREE || (c->resume > now() && !c->halved) || (c->paused && held_count && !released))
        return;
    take(c, held_count && !released ? HELD_BYTES_A_SECOND : SIZE_MAX);
}

static void begin(void) {
    uint32_t slot = free_slots[--free_count];
    struct connection *c = &connections[slot];
    if (slot >= used_slots)
        used_slots = slot + 1;
    memset(c, 0, offsetof(struct connection, head));
    c->number = ++started;
    c->begun = now();
    c->state = CONNECTING;
    int family = by_ipv6 && c->number % 5 == 0 ? AF_INET6 : AF_INET;
    c->fd = new_socket_of(family);
    int small = HELD_RECEIVE_BUFFER, segment = HELD_SEGMENT;
    if (held_count) {
        // As on a network: with loopback's segments of 64 KiB the sender's buffers grow to megabytes, and take the whole download.
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        setsockopt(c->fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
    }
    // Many addresses, so that no port is used again while the last connection from there is in TIME_WAIT.
    int error;
    if (family == AF_INET) {
        c->from.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f010001 + c->number % 250)};
        bind_from(c->fd, &c->from.in);
        error = begin_connect(c->fd);
    } else {
        struct sockaddr_in6 to6 = {.sin6_family = AF_INET6, .sin6_port = to.sin_port, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
        c->from.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6};
        error = begin_connect_to(c->fd, (const struct sockaddr *)&to6, sizeof to6);
    }
    if (error != 0) {
        fail(c, error);
        return;
    }
    watch(c->fd, slot);
}

// Those that paused and may go on, and those that have waited too long.
static void sweep(uint64_t at) {
    for (uint32_t i = 0; i < used_slots; i++) {
        struct connection *c = &connections[i];
        if (c->state == FREE)
            continue;
        if (at > c->begun + PATIENCE_NS) {
            finish(c, "late");
        } else if (c->paused && c->resume != 0 && c->resume <= at) {
            c->resume = held_count && !released ? at + 1000000000 : 0;
            take(c, held_count && !released ? HELD_BYTES_A_SECOND : SIZE_MAX);
        }
    }
}

static uint32_t truly_under_way(void) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < used_slots; i++) {
        struct connection *c = &connections[i];
        int buffered = 0;
        if (c->state == BODY && ioctl(c->fd, FIONREAD, &buffered) == 0 && c->got + (size_t)buffered < body_length)
            count++;
    }
    return count;
}

static void read_options(int argc, char **argv, double *rate, const char **log_path) {
    const char *file = NULL;
    for (int option; (option = getopt(argc, argv, "p:H:u:f:o:r:n:w:c:k:s:6")) > 0;) {
        switch (option) {
        case 'p': to.sin_port = htons((uint16_t)atoi(optarg)); break;
        case 'H': host = optarg; break;
        case 'u': path = optarg; break;
        case 'f': file = optarg; break;
        case 'o': *log_path = optarg; break;
        case 'r': *rate = atof(optarg); break;
        case 'n': total = (uint32_t)strtoul(optarg, NULL, 10); break;
        case 'c': most_open = (uint32_t)strtoul(optarg, NULL, 10); break;
        case '6': by_ipv6 = 1; break;
        case 's': split_millis = atoi(optarg); break;
        case 'w': pause_millis = atoi(optarg); break;
        case 'k': total = (uint32_t)(held_count = atoi(optarg)); break;
        default: exit(2);
        }
    }
    if (*log_path == NULL || to.sin_port == 0 || (*rate <= 0) == (held_count <= 0) || held_count > SLOTS) {
        fprintf(stderr, "load: see the head of load.c\n");
        exit(2);
    }
    if (file == NULL)
        return;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    struct stat stat;
    if (fd < 0 || fstat(fd, &stat) || stat.st_size == 0)
        die("the file of -f");
    body_length = (size_t)stat.st_size;
    body = mmap(NULL, body_length, PROT_READ, MAP_PRIVATE, fd, 0);
    if (body == MAP_FAILED)
        die("mmap");
    close(fd);
}

int main(int argc, char **argv) {
    double rate = 0;
    const char *log_path = NULL;
    read_options(argc, argv, &rate, &log_path);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // As many descriptors as may be; only root may have more than the hard limit.
    struct rlimit limit = {SLOTS + 64, SLOTS + 64};
    if (setrlimit(RLIMIT_NOFILE, &limit) && getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    getrlimit(RLIMIT_NOFILE, &limit);
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    if ((log_file = fopen(log_path, "we")) == NULL)
        die(log_path);
    connections = calloc(SLOTS, sizeof *connections);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (connections == NULL || epoll_fd < 0)
        die("start");
    free_count = limit.rlim_cur - 64 < SLOTS ? (uint32_t)limit.rlim_cur - 64 : SLOTS;
    if ((uint32_t)held_count > free_count) {
        fprintf(stderr, "load: %d descriptors are needed: raise the hard limit, ulimit -Hn\n", held_count + 64);
        return 1;
    }
    for (uint32_t i = 0; i < free_count; i++)
        free_slots[i] = free_count - 1 - i;

    uint64_t first = now(), swept = first;
    int announced = 0;
    while (ended < total && !(stopped && ended == started)) {
        uint64_t at = now();
        if (held_count) {
            while (started < total && started - ended - under_way < OPENING && free_count > 0)
                begin();
        } else {
            while (!stopped && started < total && started - ended < most_open && free_count > 0 &&
                   first + (uint64_t)(started * 1e9 / rate) <= at)
                begin();
        }
        if (held_count && !announced && started == total && under_way + ended >= total) {
            printf("held %u under way %u failed %u\n", under_way, truly_under_way(), ended);
            fflush(stdout);
            announced = 1;
        }
        if (held_count && released == 1) {
            released = 2;
            for (uint32_t i = 0; i < used_slots; i++)
                if (connections[i].state == BODY) {
                    connections[i].resume = 0;
                    take(&connections[i], SIZE_MAX);
                }
        }
        complete_halves(at);
        if (at > swept + 50000000) {
            sweep(at);
            swept = at;
        }
        struct epoll_event events[512];
        int n = epoll_wait(epoll_fd, events, 512, rate >= 1000 ? 1 : rate > 0 ? 2 : 20);
        for (int i = 0; i < n; i++) {
            struct connection *c = &connections[events[i].data.u32];
            // A slot that was freed in this turn is not used again before the next.
            if (c->state != FREE)
                ready(c, events[i].events);
        }
        fflush(log_file);
    }
    if (fclose(log_file))
        die(log_path);
    printf("done %u\n", ended);
    return 0;
}
