#include "net.h"
#include "acknowledge.h"
#include "answer.h"
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { HELLO = 0x01, ACK = 0x02, PROXY_HELLO = 0x11, OFFER = 0x12 };
enum { VERSION = 1, CLAIMS = 1, READY = 0, NOT_TOLD = 0xffff, OFFERED = 1, CLAIMED = 2 };
enum { MESSAGE = 16384, OFFER_HEAD = 16, MOST_OFFERED = 64, CREDITS = 1024, MOST_WORDS = 4096, MESSAGES_AT_ONCE = 64 };
enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

struct hello { uint8_t type, version, most, flags; uint32_t zero; uint64_t granted; };
struct ack { uint8_t type, state; uint16_t load; uint32_t zero; uint64_t settled, granted; };
_Static_assert(sizeof(struct hello) == 16 && sizeof(struct ack) == 24, "as on the wire");

struct channel {
    int fd;
    uint64_t next;                  // number of the first connection that has not been offered
    _Atomic uint64_t *page;
    uint64_t words;
};

// What one turn has taken and claimed: answered once the acknowledgement is on its way.
static int taken[MESSAGES_AT_ONCE * MOST_DESCRIPTORS];
static size_t taken_count;

struct channel *channel_open(int fd) {
    struct channel *channel = calloc(1, sizeof *channel);
    if (!channel) fail("calloc");
    channel->fd = fd;
    struct hello hello = {.type = HELLO, .version = VERSION, .most = MOST_OFFERED, .flags = CLAIMS, .granted = htole64(CREDITS)};
    if (send(fd, &hello, sizeof hello, MSG_NOSIGNAL) < 0) perror("send");   // the proxy has gone: receiving tells
    return channel;
}

static int broken(const char *rule) {
    fprintf(stderr, "receiver: the proxy broke the protocol: %s\n", rule);
    return 0;
}

static void close_all(const int *fds, size_t count) {
    for (size_t i = 0; i < count; i++) close(fds[i]);
}

static int take_page(struct channel *channel, const uint8_t *message, size_t size, const int *fds, size_t count) {
    uint32_t words;
    struct stat facts;
    if (size < 16 || channel->page) return broken("one HELLO of 16 bytes");
    memcpy(&words, message + 4, sizeof words);
    words = le32toh(words);
    if (!(message[2] & CLAIMS) && count == 0) return 1;
    if (count != 1 || words == 0 || words > MOST_WORDS || words & (words - 1)) return broken("a page has a power of two words");
    if ((fcntl(fds[0], F_GET_SEALS) & SEALS) != SEALS || fstat(fds[0], &facts) || facts.st_size < (off_t)(words * 8)) {
        return broken("a page is sealed and as large as said");
    }
    void *page = mmap(NULL, words * 8, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
    if (page == MAP_FAILED) fail("mmap");
    channel->page = page;
    channel->words = words;
    close(fds[0]);
    return 1;
}

static int claim(struct channel *channel, uint64_t number) {
    if (!channel->page) return 1;
    uint64_t offered = number << 2 | OFFERED;
    return atomic_compare_exchange_strong(&channel->page[number & (channel->words - 1)], &offered, number << 2 | CLAIMED);
}

static int take_offer(struct channel *channel, const uint8_t *message, size_t size, const int *fds, size_t count) {
    uint64_t first;
    if (size < OFFER_HEAD) return broken("an OFFER has 16 bytes");
    memcpy(&first, message + 8, sizeof first);
    if (le64toh(first) != channel->next) return broken("numbers follow one by one");
    if (message[1] != count || count == 0 || count > MOST_OFFERED) return broken("as many descriptors as connections");
    for (size_t i = 0; i < count; i++) {
        if (claim(channel, channel->next++)) taken[taken_count++] = fds[i];
        else close(fds[i]);
    }
    return 1;
}

static int take_message(struct channel *channel, const uint8_t *message, size_t size, const int *fds, size_t count) {
    int right = 1;
    if (message[0] == OFFER) right = take_offer(channel, message, size, fds, count);
    else if (message[0] == PROXY_HELLO) right = take_page(channel, message, size, fds, count);
    else close_all(fds, count);                              // of a later version
    if (!right) close_all(fds, count);
    return right;
}

// One message; 1 there may be more, 0 none now, -1 the end.
static int receive_one(struct channel *channel) {
    static uint8_t bytes[MESSAGE];
    union { char bytes[CMSG_SPACE(MOST_DESCRIPTORS * sizeof(int))]; struct cmsghdr header; } control;
    struct iovec data = {bytes, sizeof bytes};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t size = recvmsg(channel->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN) return 0;
    if (size < 0 && errno == ECONNRESET) return 1;           // what was sent before is still there
    if (size <= 0) return -1;
    if (message.msg_flags & MSG_CTRUNC) {
        fprintf(stderr, "receiver: at the limit of open descriptors: raise it (ulimit -n)\n");
        exit(1);
    }
    int fds[MOST_DESCRIPTORS];
    size_t count = 0;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
        count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds, CMSG_DATA(header), count * sizeof(int));
    }
    return take_message(channel, bytes, (size_t)size, fds, count) ? 1 : -1;
}

static void acknowledge(struct channel *channel) {
    struct ack ack = {.type = ACK, .state = READY, .load = htole16(NOT_TOLD),
                      .settled = htole64(channel->next), .granted = htole64(channel->next + CREDITS)};
    if (send(channel->fd, &ack, sizeof ack, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET) perror("send");
}

int channel_receive(struct channel *channel) {
    uint64_t before = channel->next;
    int more = 1;
    for (int i = 0; i < MESSAGES_AT_ONCE && more > 0; i++) more = receive_one(channel);
    if (channel->next > before) acknowledge(channel);
    for (size_t i = 0; i < taken_count; i++) answer_adopt(taken[i], 1, NULL, 0);
    taken_count = 0;
    if (more >= 0) return 1;
    if (channel->page) munmap((void *)channel->page, channel->words * 8);
    close(channel->fd);
    free(channel);
    return 0;
}
