// The load generator: one thread, one epoll, loopback only.
//
//   load MODE PORT NAME [-k http|tls] [-s BYTES] [-n COUNT] [-c AT_ONCE] [-b BYTES]
//
//   new      COUNT connections, AT_ONCE at a time, one answer on each, which the server closes
//   keep     AT_ONCE connections with an answer each; then, after a gate, COUNT requests on them
//   bulk     the same, with COUNT downloads of -b bytes
//   idle     COUNT connections with an answer each, held open until a gate
//   pending  COUNT connections that say the first half of their opening and no more, held open until a gate
//
// A gate: a line {"ready": connections, "errors": …} is printed, and standard input must have a line or end. So what
// happens on connections that are there can be measured alone. One line of JSON ends the run. -s is the size of the
// ClientHello.
#include "net.h"
#include "client.h"
#include "hello.h"
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MOST_EVENTS = 512, PATIENCE_SECONDS = 60, OPENING_AT_ONCE = 64, MOST_ERRORS = 1000 };
enum mode { NEW, KEEP, BULK, IDLE, PENDING };

static enum mode mode;
static int epoll, gated, passed_gate;
static uint64_t count = 1000, at_once = 64, started, requests, errors, resting, measured, give_up_ns;
static uint32_t *times_ns;
static uint64_t times, times_room;
static struct client *clients;

// How many connections there are at most.
static uint64_t most_clients(void) {
    return mode == IDLE || mode == PENDING ? count : at_once;
}

static void first_byte(uint64_t ns) {
    if (gated && !passed_gate) return;
    if (times == times_room) {
        times_room = times_room ? times_room * 2 : 1 << 14;
        times_ns = realloc(times_ns, times_room * sizeof *times_ns);
        if (!times_ns) fail("realloc");
    }
    times_ns[times++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

static void ask_next(struct client *client) {
    if (started < count) {
        started++;
        client_ask(client);
    }
}

static void rests(struct client *client) {
    if (!passed_gate) {
        resting++;
        return;
    }
    requests++;
    ask_next(client);
}

static void ended(struct client *client, int ok) {
    if (!ok) errors++;
    if (mode != NEW) return;
    if (ok) requests++;
    if (errors >= MOST_ERRORS) {
        fprintf(stderr, "load: %d connections have failed, the last with: %s\n", MOST_ERRORS, strerror(errno));
        exit(1);
    }
    if (started < count) {
        started++;
        client_open(client, epoll);
    }
}

static int wait_events(void) {
    if (now_ns() > give_up_ns) {
        fprintf(stderr, "load: after %d s %llu connections rest, %llu requests are answered, %llu have failed\n", PATIENCE_SECONDS,
                (unsigned long long)resting, (unsigned long long)requests, (unsigned long long)errors);
        exit(1);
    }
    struct epoll_event events[MOST_EVENTS];
    int got = epoll_wait(epoll, events, MOST_EVENTS, 100);
    for (int i = 0; i < got; i++) client_step(events[i].data.ptr);
    return got;
}

static void be_patient(void) {
    give_up_ns = now_ns() + PATIENCE_SECONDS * 1000000000ull;
}

// Waits until a number is reached, or as many have failed.
static void run_until(const uint64_t *number, uint64_t goal) {
    while (*number + errors < goal) wait_events();
}

static void open_clients(void) {
    uint64_t all = most_clients(), opened = 0;
    be_patient();
    while (opened < all) {
        for (; opened < all && opened < resting + errors + OPENING_AT_ONCE; opened++) client_open(&clients[opened], epoll);
        wait_events();
    }
    run_until(&resting, all);
}

static void gate(void) {
    printf("{\"ready\": %llu, \"errors\": %llu}\n", (unsigned long long)resting, (unsigned long long)errors);
    fflush(stdout);
    char line[16];
    ssize_t got = read(STDIN_FILENO, line, sizeof line);
    (void)got;                                               // a line and the end mean the same
    be_patient();
    if (mode == IDLE || mode == PENDING) while (wait_events() > 0) {}   // whose connections ended meanwhile?
    passed_gate = 1;
}

static void measure(void) {
    uint64_t all = most_clients();
    be_patient();
    if (mode == NEW) {
        for (uint64_t i = 0; i < all && started < count; i++) {
            started++;
            client_open(&clients[i], epoll);
        }
    } else if (mode == KEEP || mode == BULK) {
        for (uint64_t i = 0; i < all; i++) if (clients[i].state == RESTING) ask_next(&clients[i]);
    } else {
        return;
    }
    measured = now_ns();
    run_until(&requests, count);
    measured = now_ns() - measured;
}

static int by_time(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double quantile_us(double q) {
    return times ? times_ns[(uint64_t)(q * (double)(times - 1))] / 1e3 : 0;
}

static void report(void) {
    qsort(times_ns, times, sizeof *times_ns, by_time);
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu_us = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    printf("{\"requests\": %llu, \"errors\": %llu, \"seconds\": %.6f, \"bytes\": %llu, \"p50_us\": %.1f, \"p99_us\": %.1f, \"load_cpu_us\": %.0f}\n",
           (unsigned long long)requests, (unsigned long long)errors, (double)measured / 1e9, (unsigned long long)talk.bytes,
           quantile_us(.5), quantile_us(.99), cpu_us);
}

static enum mode mode_named(const char *name) {
    static const char *const names[] = {"new", "keep", "bulk", "idle", "pending"};
    for (int i = 0; i <= PENDING; i++) if (!strcmp(name, names[i])) return i;
    fprintf(stderr, "load: no mode is named %s\n", name);
    exit(2);
}

static size_t write_head(char out[512], const char *path, const char *name, const char *then) {
    static const char *const head = "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: load\r\nAccept: */*\r\nConnection: %s\r\n\r\n";
    return (size_t)snprintf(out, 512, head, path, name, then);
}

// From now on clients ask for downloads.
static void prepare_download(const char *name, uint64_t bytes) {
    static char request[512];
    char path[64];
    snprintf(path, sizeof path, "/bytes/%llu", (unsigned long long)bytes);
    talk.request = request;
    talk.request_size = write_head(request, path, name, "keep-alive");
}

static void prepare_talk(const char *name, int tls, size_t hello_size) {
    static uint8_t hello[LARGEST_HELLO];
    static char request[512];
    int once = mode == NEW;
    talk.request = request;
    talk.request_size = write_head(request, "/", name, once ? "close" : "keep-alive");
    talk.opening = talk.request;
    talk.opening_size = talk.request_size;
    if (tls) {
        talk.opening = hello;
        talk.opening_size = make_hello(hello, name, hello_size, once ? 'C' : 'K');
    }
    if (mode == PENDING) talk.opening_size /= 2;
    talk.tls = tls;
    talk.once = once;
    talk.silent = mode == PENDING;
    talk.discard = mode == BULK;
    talk.first_byte = first_byte;
    talk.rests = rests;
    talk.ended = ended;
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: load MODE PORT NAME [-k http|tls] [-s BYTES] [-n COUNT] [-c AT_ONCE] [-b BYTES]\n");
        return 2;
    }
    mode = mode_named(argv[1]);
    int tls = 0, option;
    size_t hello_size = 517;
    uint64_t bytes = 1 << 20;
    optind = 4;
    while ((option = getopt(argc, argv, "k:s:n:c:b:")) > 0) {
        switch (option) {
        case 'k': tls = !strcmp(optarg, "tls"); break;
        case 's': hello_size = strtoull(optarg, NULL, 10); break;
        case 'n': count = strtoull(optarg, NULL, 10); break;
        case 'c': at_once = strtoull(optarg, NULL, 10); break;
        case 'b': bytes = strtoull(optarg, NULL, 10); break;
        default: return 2;
        }
    }
    raise_descriptor_limit();
    signal(SIGPIPE, SIG_IGN);
    talk.address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    prepare_talk(argv[3], tls, hello_size);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    clients = calloc(most_clients(), sizeof *clients);
    if (!clients) fail("calloc");
    gated = mode != NEW;
    if (gated) {
        open_clients();
        gate();
        if (mode == BULK) prepare_download(argv[3], bytes);
    }
    measure();
    for (uint64_t i = 0; i < most_clients(); i++) if (clients[i].state != CLOSED) client_abort(&clients[i]);
    report();
    return 0;
}
