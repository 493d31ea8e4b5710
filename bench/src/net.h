// Sockets and time, for all programs of the benchmark. Loopback only.
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stddef.h>
#include <stdint.h>

enum { BACKLOG = 4096, MOST_DESCRIPTORS = 253 };   // 253: SCM_MAX_FD, what one message may carry

// Prints the call with its errno and ends the process.
_Noreturn void fail(const char *call);

// Monotonic time in nanoseconds.
uint64_t now_ns(void);

// Raises the limit of open descriptors as far as it goes, and returns it.
size_t raise_descriptor_limit(void);

// A non-blocking listener on 127.0.0.1; with defer, a connection is accepted when its first bytes are there.
int listen_tcp(int port, int defer);

// A non-blocking socket bound to a path, which is removed first; of a type that listens, it does.
int listen_unix(const char *path, int type);

// A socket connected to the path.
int connect_unix(const char *path, int type);

// Puts a descriptor into an epoll, with the descriptor itself as its data.
void watch(int epoll, int fd, uint32_t events);
