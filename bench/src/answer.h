// What the receiver says on a connection, however it came.
//
// HTTP/1.1 with keep-alive: GET /bytes/N has a body of N bytes by sendfile(2), everything else one of two bytes. A TLS
// ClientHello is answered with a fatal alert; after that the connection is closed if the session id begins with 'C', and
// else goes on in plain HTTP: so what the proxies cost is not hidden behind the receiver's cryptography.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Must come first. `most` is above every descriptor.
void answer_prepare(int epoll, size_t most);

// Owns the connection from now on, and answers what is there. `shared`: another process may have a copy, so that close(2)
// alone would send no FIN. `bytes` were taken off the connection before it came.
void answer_adopt(int fd, int shared, const void *bytes, size_t count);

// Goes on after an event, edge-triggered.
void answer_step(int fd, uint32_t events);
