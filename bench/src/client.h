// One client of the load generator: connects, says something, reads the answer.
#pragma once
#include <netinet/in.h>
#include <stdint.h>

//            answered ──────────────> ENDING (the server closes)
//                ^                      │
//   CONNECTING ──┴─> RESTING <──ask─    v
//        └─────────> SILENT           CLOSED
enum state { CLOSED, CONNECTING, ALERT, HEAD, BODY, RESTING, SILENT, ENDING };

struct client {
    int fd;
    enum state state;
    uint64_t since_ns;          // when it connected, or asked
    uint64_t body;              // bytes of the body that are still to come
    size_t got;
    char head[256];
};

// What all clients say, and who wants to know.
struct talk {
    struct sockaddr_in address;
    const void *opening;        // sent once connected
    size_t opening_size;
    const char *request;        // sent behind a ClientHello, or by client_ask
    size_t request_size;
    int tls;                    // the opening is a ClientHello: an alert comes back, and then HTTP goes on in the clear
    int once;                   // the server closes after its first answer
    int silent;                 // the opening is incomplete: no answer can come
    int discard;                // bodies are dropped by the kernel
    uint64_t bytes;             // of bodies that came
    void (*first_byte)(uint64_t ns);
    void (*rests)(struct client *);          // it has its answer, or has said its incomplete opening
    void (*ended)(struct client *, int ok);
};

extern struct talk talk;

void client_open(struct client *client, int epoll);

// Sends talk.request.
void client_ask(struct client *client);

// Goes on after an event of epoll, edge-triggered.
void client_step(struct client *client);

// Closes with a reset, which leaves no TIME_WAIT behind.
void client_abort(struct client *client);
