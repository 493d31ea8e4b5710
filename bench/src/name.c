#include "name.h"
#include <string.h>
#include <strings.h>

enum { HANDSHAKE = 0x16, CLIENT_HELLO = 1, SERVER_NAME = 0, HOST_NAME = 0, RANDOM = 32 };

static unsigned u16(const uint8_t *p) { return (unsigned)p[0] << 8 | p[1]; }

// RFC 8446 section 4.1.2 and RFC 6066 section 3; a hello in one record, as those of the load generator are.
static int find_server_name(const uint8_t *b, size_t count, const uint8_t **name) {
    if (count < 5) return 0;
    size_t end = 5 + u16(b + 3), at = 5;
    if (count < end) return 0;
    if (end < at + 4 + 2 + RANDOM + 1 || b[at] != CLIENT_HELLO) return -1;
    at += 4 + 2 + RANDOM;
    at += 1u + b[at];                                        // session id
    if (at + 2 > end) return -1;
    at += 2 + u16(b + at);                                   // cipher suites
    if (at + 1 > end) return -1;
    at += 1u + b[at];                                        // compression methods
    if (at + 2 > end) return -1;
    size_t last = at + 2 + u16(b + at);
    at += 2;
    if (last > end) return -1;
    while (at + 4 <= last) {
        unsigned type = u16(b + at), length = u16(b + at + 2);
        at += 4;
        if (at + length > last) return -1;
        if (type == SERVER_NAME) {
            if (length < 5 || b[at + 2] != HOST_NAME || u16(b + at + 3) + 5 > length) return -1;
            *name = b + at + 5;
            return (int)u16(b + at + 3);
        }
        at += length;
    }
    return -1;
}

static int find_host_field(const uint8_t *b, size_t count, const uint8_t **name) {
    const uint8_t *end = b + count, *line = memchr(b, '\n', count);
    while (line && ++line < end) {
        const uint8_t *feed = memchr(line, '\n', (size_t)(end - line));
        if (!feed) return 0;
        if (feed - line <= 1) return -1;                     // the end of the head
        if (feed - line > 5 && !strncasecmp((const char *)line, "host:", 5)) {
            const uint8_t *from = line + 5, *to = feed;
            while (from < to && (*from == ' ' || *from == '\t')) from++;
            while (to > from && (to[-1] == '\r' || to[-1] == ' ')) to--;
            const uint8_t *colon = memchr(from, ':', (size_t)(to - from));
            *name = from;
            return (int)((colon ? colon : to) - from);
        }
        line = feed;
    }
    return 0;
}

int find_name(const uint8_t *bytes, size_t count, const uint8_t **name) {
    if (count == 0) return 0;
    return bytes[0] == HANDSHAKE ? find_server_name(bytes, count, name) : find_host_field(bytes, count, name);
}
