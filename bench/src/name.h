// Finds the host in a connection's first bytes: the least that a proxy must look at.
#pragma once
#include <stddef.h>
#include <stdint.h>

// The length of the name, at *name; 0 when more bytes are needed; -1 when there is none or the bytes are malformed.
int find_name(const uint8_t *bytes, size_t count, const uint8_t **name);
