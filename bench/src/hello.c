#include "hello.h"
#include <string.h>

enum { PADDING = 21, KEY_SHARE = 51, X25519 = 29, X25519_MLKEM768 = 0x11ec, RANDOM = 32, KEY = 32, HYBRID_KEY = 1216 };

// What a hello has without the large key share: below this a browser's has only X25519's.
enum { SMALL = 1024 };

static const uint16_t SUITES[] = {0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9,
                                  0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035};
static const uint8_t GROUPS[] = {0, 10, 0, 8, 0, 6, 0, 29, 0, 23, 0, 24};
static const uint8_t SIGNATURES[] = {0, 13, 0, 10, 0, 8, 4, 3, 8, 4, 4, 1, 5, 3};
static const uint8_t VERSIONS[] = {0, 43, 0, 5, 4, 3, 4, 3, 3};

static uint8_t *u16(uint8_t *p, size_t value) {
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
    return p + 2;
}

static uint8_t *copy(uint8_t *p, const void *from, size_t count) {
    memcpy(p, from, count);
    return p + count;
}

static uint8_t *noise(uint8_t *p, size_t count) {
    for (size_t i = 0; i < count; i++) *p++ = (uint8_t)(i * 37 + 11);
    return p;
}

static uint8_t *share(uint8_t *p, unsigned group, size_t length) {
    p = u16(u16(p, group), length);
    return noise(p, length);
}

// The key shares, as browsers send them: with the post-quantum one a hello has about 2 kB.
static uint8_t *key_shares(uint8_t *p, int large) {
    size_t length = (large ? 4 + HYBRID_KEY : 0) + 4 + KEY;
    p = u16(u16(u16(p, KEY_SHARE), length + 2), length);
    if (large) p = share(p, X25519_MLKEM768, HYBRID_KEY);
    return share(p, X25519, KEY);
}

static uint8_t *server_name(uint8_t *p, const char *name) {
    size_t length = strlen(name);
    p = u16(u16(u16(p, 0), length + 5), length + 3);
    *p++ = 0;
    return copy(u16(p, length), name, length);
}

size_t make_hello(uint8_t out[LARGEST_HELLO], const char *name, size_t size, uint8_t mark) {
    uint8_t *body = out + 9, *p = noise(u16(body, 0x0303), RANDOM);
    *p++ = 32;
    *p++ = mark;
    p = noise(p, 31);
    p = u16(p, sizeof SUITES);
    for (size_t i = 0; i < sizeof SUITES / sizeof *SUITES; i++) p = u16(p, SUITES[i]);
    *p++ = 1;
    *p++ = 0;
    uint8_t *extensions = p;
    p = copy(p + 2, GROUPS, sizeof GROUPS);
    p = copy(p, SIGNATURES, sizeof SIGNATURES);
    p = copy(p, VERSIONS, sizeof VERSIONS);
    p = key_shares(p, size > SMALL);
    p = server_name(p, name);                                // behind the large key share: not the easiest place
    size_t used = (size_t)(p - out);
    if (used + 4 < size) {
        size_t padding = size - used - 4;
        p = u16(u16(p, PADDING), padding);
        memset(p, 0, padding);
        p += padding;
    }
    u16(extensions, (size_t)(p - extensions) - 2);
    out[0] = 0x16;
    out[1] = 3;
    out[2] = 1;
    u16(out + 3, (size_t)(p - out) - 5);
    out[5] = 1;
    out[6] = 0;
    u16(out + 7, (size_t)(p - body));
    return (size_t)(p - out);
}
