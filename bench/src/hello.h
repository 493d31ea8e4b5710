// Makes a ClientHello.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { LARGEST_HELLO = 4096 };

// Writes a ClientHello of one record with that server name, padded to `size` bytes (RFC 7685), and returns its length.
// The first byte of its session id is `mark`: a sign for the receiver, which does no TLS.
size_t make_hello(uint8_t out[LARGEST_HELLO], const char *name, size_t size, uint8_t mark);
