// Clients that mean ill, against one port of loopback, each a whole Internet of them if need be. One thread and one epoll a process; it
// ends by itself.
//
//   abuse -p PORT -m MODE -n OPEN -t SECONDS [-a ADDRESSES] [-r RATE] [-c COUNT] [-H HOST] [-j PROCESSES]
//
// It keeps OPEN connections open, from 127.2.0.1 or from as many ADDRESSES from there on, and opens at most RATE a second, also in the
// place of those that were closed. It ends after SECONDS, on SIGTERM, or after COUNT connections (segments: COUNT of those). Each of the
// PROCESSES does its part of all that.
//
//   silent         nothing is sent
//   byte           one byte, then nothing
//   drip           a TLS hello or an HTTP head, a byte a second
//   segments       the same, endless, a byte a segment, as fast as they go
//   announced      what announces 16 MiB, and sends them: TLS records, a TLS handshake message in records of one byte, an HTTP head that
//                  never ends, an HTTP/2 header list in CONTINUATIONs, an HTTP/2 frame of 16 MiB
//   continuations  an HTTP/2 header list with 2,000 empty CONTINUATIONs, which does not end
//   hpack          HTTP/2 header lists that grow: references to the dynamic table, absurd table sizes, long strings in Huffman code
//   reset-connect, reset-byte, reset-half, reset-whole, reset-transit
//                  RST after connect, after a byte, in the middle of a hello or head, at once after the whole of it, up to 2 ms later
//
// At the end each process prints a line: opened N refused N closed N reset N answered N segments N bytes N most-open N
// ended-at N, the last in microseconds of CLOCK_MONOTONIC; then all that are open are closed at once.
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clients.h"

enum { MOST_BYTES = 16 << 20, RING_BYTES = 1 << 20, PROCESSES = 16, SPARE_DESCRIPTORS = 32, AT_ONCE = 64 };

// What one kind of connection sends: `start`, then `again` until `total`.
struct flight {
    uint8_t *start, *again;
    size_t start_length, again_length, total;
};

enum ending { HOLD, RESET };

static struct mode {
    const char *name;
    enum ending ending;
    size_t chunk;        // bytes in a send; 0: all
    uint64_t pause, delay;  // nanoseconds between two sends; at most, before the reset
} MODES[] = {
    {"silent", HOLD, 0, 0, 0},
    {"byte", HOLD, 0, 0, 0},
    {"drip", HOLD, 1, 1000000000, 0},
    {"segments", HOLD, 1, 0, 0},
    {"announced", HOLD, 0, 0, 0},
    {"continuations", HOLD, 0, 0, 0},
    {"hpack", HOLD, 0, 0, 0},
    {"reset-connect", RESET, 0, 0, 0},
    {"reset-byte", RESET, 0, 0, 0},
    {"reset-half", RESET, 0, 0, 0},
    {"reset-whole", RESET, 0, 0, 0},
    {"reset-transit", RESET, 0, 0, 2000000},
};

struct connection {
    int fd;
    enum { FREE, CONNECTING, SENDING, HOLDING } state;
    const struct flight *flight;
    size_t sent;
    uint64_t due;     // when the next byte or the reset is
    uint32_t active;  // its place among those that have something to do, from 1
};

static const struct mode *mode;
static struct flight flights[8];
static uint32_t flight_count;
static struct connection *connections;
static uint32_t *free_slots, *active, free_count, active_count, open_limit, address_count = 1, first_address;
static uint64_t opened, refused, closed, was_reset, answered, segments, bytes, most_open;
static volatile sig_atomic_t stopped;

static void on_signal(int signal) {
    (void)signal;
    stopped = 1;
}

// ---- What is sent

static struct flight *add_flight(size_t total) {
    struct flight *flight = &flights[flight_count++];
    *flight = (struct flight){malloc(RING_BYTES), malloc(RING_BYTES), 0, 0, total};
    if (flight->start == NULL || flight->again == NULL)
        die("malloc");
    return flight;
}

static void put(uint8_t *to_, size_t *length, const void *from, size_t count) {
    memcpy(to_ + *length, from, count);
    *length += count;
}

static void put_byte(uint8_t *to_, size_t *length, unsigned value, size_t times) {
    memset(to_ + *length, (int)value, times);
    *length += times;
}

static void put_number(uint8_t *to_, size_t *length, uint64_t value, int size) {
    while (size-- > 0)
        to_[(*length)++] = (uint8_t)(value >> 8 * size);
}

// A ClientHello with a server name (RFC 8446 section 4.1.2, RFC 6066 section 3), padded (RFC 7685) as browsers' are long.
static void tls_hello(struct flight *f) {
    size_t name = strlen(host), padding = 1400, extensions = 9 + name + 4 + padding, body = 2 + 32 + 1 + 4 + 2 + 2 + extensions;
    uint8_t *p = f->start;
    size_t *n = &f->start_length;
    put_number(p, n, 0x160301, 3);
    put_number(p, n, body + 4, 2);
    put_number(p, n, 1, 1);
    put_number(p, n, body, 3);
    put_number(p, n, 0x0303, 2);
    put_byte(p, n, 0x5a, 32);
    put_number(p, n, 0, 1);
    put_number(p, n, 0x00021301, 4);
    put_number(p, n, 0x0100, 2);
    put_number(p, n, extensions, 2);
    put_number(p, n, 21, 2);
    put_number(p, n, padding, 2);
    put_byte(p, n, 0, padding);
    put_number(p, n, 0, 2);
    put_number(p, n, name + 5, 2);
    put_number(p, n, name + 3, 2);
    put_number(p, n, 0, 1);
    put_number(p, n, name, 2);
    put(p, n, host, name);
    f->total = *n;
}

static void http_head(struct flight *f) {
    f->start_length = (size_t)sprintf((char *)f->start, "GET / HTTP/1.1\r\nUser-Agent: abuse\r\nHost: %s\r\n\r\n", host);
    f->total = f->start_length;
}

// A head that never ends: fields before Host.
static void endless_head(struct flight *f) {
    f->start_length = (size_t)sprintf((char *)f->start, "GET / HTTP/1.1\r\n");
    while (f->again_length < 60000)
        f->again_length += (size_t)sprintf((char *)f->again + f->again_length, "X-%zu: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", f->again_length);
}

// A handshake message of so many bytes, in records of so many.
static void endless_hello(struct flight *f, uint64_t message, size_t record) {
    uint8_t *p = f->start;
    size_t *n = &f->start_length;
    put_number(p, n, 0x160301, 3);
    put_number(p, n, 4, 2);
    put_number(p, n, 1, 1);
    put_number(p, n, message, 3);
    put_number(f->again, &f->again_length, 0x160301, 3);
    put_number(f->again, &f->again_length, record, 2);
    put_byte(f->again, &f->again_length, 3, record);
}

static void frame(uint8_t *p, size_t *n, size_t length, unsigned type, unsigned flags, uint32_t stream) {
    put_number(p, n, length, 3);
    put_number(p, n, type, 1);
    put_number(p, n, flags, 1);
    put_number(p, n, stream, 4);
}

static void http2(struct flight *f) {
    static const char PREFACE[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    put(f->start, &f->start_length, PREFACE, sizeof PREFACE - 1);
    frame(f->start, &f->start_length, 0, 4, 0, 0);
}

enum { HEADERS = 1, CONTINUATION = 9 };

// HEADERS with these bytes of HPACK; END_HEADERS or not.
static void headers(struct flight *f, const uint8_t *block, size_t length, unsigned flags) {
    frame(f->start, &f->start_length, length, HEADERS, flags, 1);
    put(f->start, &f->start_length, block, length);
}

static void continuations(int count) {
    struct flight *f = add_flight(0);
    http2(f);
    headers(f, (const uint8_t *)"\x82\x86\x84", 3, 0);
    for (int i = 0; i < count; i++)
        frame(f->start, &f->start_length, 0, CONTINUATION, 0, 1);
    f->total = f->start_length;
}

static void hpack(void) {
    static uint8_t block[16384];
    size_t n = 0;
    struct flight *f = add_flight(0);
    // An entry of 4,000 bytes, then references to it (RFC 7541 sections 6.2.1 and 6.1): 12,000 of them stand for 48 MB.
    put_number(block, &n, 0x400178, 3);
    put_number(block, &n, 0x7fa11e, 3);  // 127 + 33 + 30 × 128 = 4000
    put_byte(block, &n, 'a', 4000);
    put_byte(block, &n, 0xbe, 12000);
    http2(f);
    headers(f, block, n, 0);
    f->total = f->start_length;

    // Sizes of the table: 4 GiB, then thousands of changes (section 6.3).
    f = add_flight(0);
    n = 0;
    put(block, &n, "\x3f\xe1\xff\xff\xff\x0f", 6);
    for (int i = 0; i < 4000; i++)
        put(block, &n, "\x20\x3f\xe1\x1f", 4);
    http2(f);
    headers(f, block, n, 0);
    f->total = f->start_length;

    // Sizes that are allowed, thousands of them, between entries that they evict.
    f = add_flight(0);
    n = 0;
    while (n + 40 < sizeof block) {
        put(block, &n, "\x20\x3f\xe1\x1f", 4);
        put(block, &n, "\x40\x01x\x01y", 5);
    }
    http2(f);
    headers(f, block, n, 0);
    f->total = f->start_length;

    // Codes of five bits ('0'), which decode to 8/5 of their length (section 5.2), in a list that goes on in CONTINUATIONs.
    f = add_flight(MOST_BYTES);
    n = 0;
    put_number(block, &n, 0x0001, 2);
    put_number(block, &n, 'x', 1);
    put_number(block, &n, 0xff81fe00, 4);  // Huffman, 127 + 1 + 126 × 128 = 16,256 bytes: in the next frames too
    put_byte(block, &n, 0, 16000);
    http2(f);
    headers(f, block, n, 0);
    frame(f->again, &f->again_length, 16384, CONTINUATION, 0, 1);
    put_byte(f->again, &f->again_length, 0, 16384);
}

static void announced(void) {
    endless_hello(add_flight(MOST_BYTES), 0xffffff, 16384);
    endless_hello(add_flight(MOST_BYTES), 65000, 1);
    endless_head(add_flight(MOST_BYTES));
    struct flight *list = add_flight(MOST_BYTES);
    http2(list);
    headers(list, (const uint8_t *)"\x82\x86\x84", 3, 0);
    // Literals of 100 bytes that are not indexed (RFC 7541 section 6.2.2), whole ones in each frame.
    frame(list->again, &list->again_length, 160 * 102, CONTINUATION, 0, 1);
    for (int i = 0; i < 160; i++) {
        put(list->again, &list->again_length, "\x00\x01x\x62", 4);
        put_byte(list->again, &list->again_length, 'y', 98);
    }
    struct flight *large = add_flight(MOST_BYTES);
    http2(large);
    frame(large->start, &large->start_length, 0xffffff, HEADERS, 0, 1);
    put_byte(large->again, &large->again_length, 0x82, 16384);
}

static void make_flights(void) {
    const char *name = mode->name;
    if (!strcmp(name, "silent") || !strcmp(name, "reset-connect")) {
        add_flight(0);
    } else if (!strcmp(name, "continuations")) {
        continuations(2000);
    } else if (!strcmp(name, "hpack")) {
        hpack();
    } else if (!strcmp(name, "announced")) {
        announced();
    } else if (!strcmp(name, "segments")) {
        endless_head(add_flight(MOST_BYTES));
        endless_hello(add_flight(MOST_BYTES), 60000, 16384);
    } else {
        tls_hello(add_flight(0));
        http_head(add_flight(0));
        for (uint32_t i = 0; i < flight_count; i++) {
            if (!strcmp(name, "byte") || !strcmp(name, "reset-byte"))
                flights[i].total = 1;
            else if (!strcmp(name, "reset-half"))
                flights[i].total /= 2;
        }
    }
}

// ---- Connections

static void activate(uint32_t slot) {
    if (connections[slot].active == 0) {
        active[active_count++] = slot;
        connections[slot].active = active_count;
    }
}

static void rest(uint32_t slot) {
    struct connection *c = &connections[slot];
    if (c->active == 0)
        return;
    uint32_t last = active[--active_count];
    active[c->active - 1] = last;
    connections[last].active = c->active;
    c->active = 0;
}

static void finish(uint32_t slot) {
    rest(slot);
    close(connections[slot].fd);
    connections[slot].state = FREE;
    free_slots[free_count++] = slot;
}

static void reset(uint32_t slot) {
    struct linger linger = {1, 0};
    setsockopt(connections[slot].fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    finish(slot);
}

static void failed(uint32_t slot, int error) {
    if (connections[slot].state == CONNECTING)
        refused++;
    else if (error == 0)
        closed++;
    else
        was_reset++;
    finish(slot);
}

// The next part of what it sends; where it stands in the flight is `sent`.
static size_t next_part(const struct connection *c, const uint8_t **from) {
    const struct flight *f = c->flight;
    size_t n;
    if (c->sent < f->start_length) {
        *from = f->start + c->sent;
        n = f->start_length - c->sent;
    } else {
        size_t at = (c->sent - f->start_length) % f->again_length;
        *from = f->again + at;
        n = f->again_length - at;
    }
    return n < f->total - c->sent ? n : f->total - c->sent;
}

// Sends what is due, and ends it if that was the last.
static void send_on(uint32_t slot, uint64_t at) {
    struct connection *c = &connections[slot];
    for (int i = 0; i < (mode->chunk > 0 ? 1 : AT_ONCE) && c->sent < c->flight->total; i++) {
        if (mode->pause > 0 && c->due > at)
            return;
        const uint8_t *from;
        size_t n = next_part(c, &from);
        if (mode->chunk > 0 && n > mode->chunk)
            n = mode->chunk;
        ssize_t r = send(c->fd, from, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (r < 0) {
            if (errno == EAGAIN)
                rest(slot);  // until EPOLLOUT
            else
                failed(slot, errno);
            return;
        }
        c->sent += (size_t)r;
        bytes += (size_t)r;
        segments++;
        if (mode->pause > 0)
            c->due += mode->pause;
    }
    if (c->sent < c->flight->total)
        return;
    if (mode->ending == RESET && c->state == SENDING && mode->delay > 0) {
        c->due = at + (uint64_t)rand() % mode->delay;
    }
    c->state = HOLDING;
    if (mode->ending == RESET) {
        if (mode->delay == 0)
            reset(slot);
        return;
    }
    rest(slot);
}

static void step(uint32_t slot, uint64_t at) {
    struct connection *c = &connections[slot];
    if (c->state == SENDING)
        send_on(slot, at);
    else if (c->state == HOLDING && mode->ending == RESET && c->due <= at)
        reset(slot);
}

static void ready(uint32_t slot, uint32_t events, uint64_t at) {
    struct connection *c = &connections[slot];
    if (c->state == CONNECTING) {
        int error = 0;
        socklen_t length = sizeof error;
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &length);
        if (error != 0) {
            failed(slot, error);
            return;
        }
        if (!(events & EPOLLOUT))
            return;
        c->state = SENDING;
        // Not all in the same millisecond of each second.
        c->due = mode->pause > 0 ? at + (uint64_t)rand() % mode->pause : at;
        activate(slot);
        send_on(slot, at);
        if (c->state == FREE)
            return;
    }
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) {
        char waste[4096];
        for (;;) {
            ssize_t n = recv(c->fd, waste, sizeof waste, MSG_DONTWAIT);
            if (n > 0) {
                answered++;
                continue;
            }
            if (n == 0 || errno != EAGAIN) {
                failed(slot, n == 0 ? 0 : errno);
                return;
            }
            break;
        }
    }
    if ((events & EPOLLOUT) && c->state == SENDING)
        activate(slot);
}

// Returns whether there was a port for it.
static int begin(void) {
    uint32_t slot = free_slots[--free_count];
    struct connection *c = &connections[slot];
    *c = (struct connection){.state = CONNECTING, .flight = &flights[opened % flight_count]};
    c->fd = new_socket();
    uint32_t address = (uint32_t)(opened + first_address) % address_count;
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f020001 + (address / 250 << 8) + address % 250)};
    bind_from(c->fd, &from);
    opened++;
    int error = begin_connect(c->fd);
    if (error != 0) {
        failed(slot, error);
        return error != EADDRNOTAVAIL;
    }
    watch(c->fd, slot);
    return 1;
}

static void abuse(double rate, uint64_t count, double seconds) {
    connections = calloc(open_limit, sizeof *connections);
    free_slots = calloc(open_limit, sizeof *free_slots);
    active = calloc(open_limit, sizeof *active);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (connections == NULL || free_slots == NULL || active == NULL || epoll_fd < 0)
        die("start");
    for (free_count = 0; free_count < open_limit; free_count++)
        free_slots[free_count] = open_limit - 1 - free_count;
    int counts_segments = !strcmp(mode->name, "segments");
    uint64_t at = now(), first = at, end = first + (uint64_t)(seconds * 1e9);
    double allowed = 1;
    for (uint64_t last = at; !stopped && at < end; last = at, at = now()) {
        // What could not be opened in time is not made up for by a burst: a twentieth of a second at most.
        allowed += (double)(at - last) * rate / 1e9;
        if (allowed > rate / 20 + 1)
            allowed = rate / 20 + 1;
        uint64_t done = counts_segments ? segments : opened - (open_limit - free_count);
        if (count > 0 && done >= count)
            break;
        while (free_count > 0 && allowed >= 1 && (count == 0 || counts_segments || opened < count)) {
            allowed--;
            if (!begin())
                break;
        }
        if (open_limit - free_count > most_open)
            most_open = open_limit - free_count;
        for (uint32_t i = active_count; i-- > 0;)
            if (i < active_count)
                step(active[i], at);
        struct epoll_event events[512];
        int busy = active_count > 0 && mode->pause == 0 && mode->delay == 0;
        int n = epoll_wait(epoll_fd, events, 512, busy ? 0 : 1);
        for (int i = 0; i < n; i++)
            if (connections[events[i].data.u32].state != FREE)
                ready(events[i].data.u32, events[i].events, at);
    }
    printf("opened %llu refused %llu closed %llu reset %llu answered %llu segments %llu bytes %llu most-open %llu ended-at %llu\n",
           (unsigned long long)opened, (unsigned long long)refused, (unsigned long long)closed, (unsigned long long)was_reset,
           (unsigned long long)answered, (unsigned long long)segments, (unsigned long long)bytes, (unsigned long long)most_open,
           (unsigned long long)(now() / 1000));
    fflush(stdout);
}

int main(int argc, char **argv) {
    double rate = 5000, seconds = 0;
    uint64_t count = 0;
    int processes = 1;
    for (int option; (option = getopt(argc, argv, "p:m:n:t:a:r:c:H:j:")) > 0;) {
        switch (option) {
        case 'p': to.sin_port = htons((uint16_t)atoi(optarg)); break;
        case 'm':
            for (size_t i = 0; i < sizeof MODES / sizeof *MODES; i++)
                if (!strcmp(MODES[i].name, optarg))
                    mode = &MODES[i];
            break;
        case 'n': open_limit = (uint32_t)strtoul(optarg, NULL, 10); break;
        case 't': seconds = atof(optarg); break;
        case 'a': address_count = (uint32_t)strtoul(optarg, NULL, 10); break;
        case 'r': rate = atof(optarg); break;
        case 'c': count = strtoull(optarg, NULL, 10); break;
        case 'H': host = optarg; break;
        case 'j': processes = atoi(optarg); break;
        default: exit(2);
        }
    }
    if (mode == NULL || open_limit == 0 || seconds <= 0 || to.sin_port == 0 || address_count == 0 || processes < 1 ||
        processes > PROCESSES || strlen(host) > 200) {
        fprintf(stderr, "abuse: see the head of abuse.c\n");
        return 2;
    }
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    open_limit = (open_limit + (uint32_t)processes - 1) / (uint32_t)processes;
    count = (count + (uint64_t)processes - 1) / (uint64_t)processes;
    if (open_limit + SPARE_DESCRIPTORS > limit.rlim_cur) {
        fprintf(stderr, "abuse: %u descriptors are needed: raise the hard limit, ulimit -Hn, or give more processes\n",
                open_limit + SPARE_DESCRIPTORS);
        return 1;
    }
    make_flights();
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    // Whatever happens.
    alarm((unsigned)seconds + 30);
    pid_t children[PROCESSES], self = getpid();
    for (int i = 0; i < processes; i++) {
        children[i] = fork();
        if (children[i] < 0)
            die("fork");
        if (children[i] == 0) {
            alarm((unsigned)seconds + 30);
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() != self)
                return 1;
            srand((unsigned)i + 1);
            first_address = (uint32_t)i * address_count / (uint32_t)processes;
            abuse(rate / processes, count, seconds);
            return 0;
        }
    }
    int failures = 0;
    for (int i = 0, status; i < processes; i++) {
        while (waitpid(children[i], &status, 0) < 0 && errno == EINTR)
            for (int j = 0; stopped && j < processes; j++)
                kill(children[j], SIGTERM);
        failures += status != 0;
    }
    return failures > 0;
}
