/*
 * outer RULE... -- PROGRAM ARGUMENT...: runs a program as an old kernel, a container or a fault would
 * have it. Rules, each about one system call, by name:
 *
 *   errno NAME ARG MASK VALUE ERRNO   fails with ERRNO where (argument ARG & MASK) == VALUE
 *   landlock VERSION                  Landlock is that version, and refuses what that did not know
 *   kill NAME ARG NTH TEXT            the NTH call whose argument ARG points to something that has
 *                                     TEXT in it ("" is any) is its process's last: SIGKILL
 *   hold NAME ARG NTH TEXT FILE       such a call makes FILE, and waits until it is removed
 *
 * With errno alone PROGRAM takes this process's place. Else it is a child, whose end is this one's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define RULES 16

static const struct { const char *name; int number; } calls[] = {
    { "execve", SYS_execve },
    { "landlock_create_ruleset", SYS_landlock_create_ruleset },
    { "landlock_restrict_self", SYS_landlock_restrict_self },
    { "listen", SYS_listen },
    { "memfd_create", SYS_memfd_create },
    { "prctl", SYS_prctl },
    { "recvmsg", SYS_recvmsg },
    { "seccomp", SYS_seccomp },
    { "sendto", SYS_sendto },
};

static struct rule {
    char kind;
    int call, arg, nth, error;
    uint32_t mask, value;
    const char *text, *file;
    int version;
} rules[RULES];
static int count;
static pid_t child;

static void
fail(const char *what)
{
    perror(what);
    exit(99);
}

static int
number(const char *name)
{
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        if (strcmp(calls[i].name, name) == 0) {
            return calls[i].number;
        }
    }
    fprintf(stderr, "outer: unknown: %s\n", name);
    exit(99);
}

/* Puts the filter in force for this process; a listener's descriptor, or 0. */
static int
filter(int supervised)
{
    struct sock_filter code[RULES * 8];
    int n = 0;
    for (int i = 0; i < count; i++) {
        struct rule *r = &rules[i];
        code[n++] = (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
        if (r->kind == 'e') {
            code[n++] = (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, r->call, 0, 4);
            code[n++] = (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                offsetof(struct seccomp_data, args) + 8 * r->arg);
            code[n++] = (struct sock_filter) BPF_STMT(BPF_ALU | BPF_AND | BPF_K, r->mask);
            code[n++] = (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, r->value, 0, 1);
            code[n++] = (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | r->error);
        } else {
            code[n++] = (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, r->call, 0, 1);
            code[n++] = (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
        }
    }
    code[n++] = (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = { .len = n, .filter = code };
    /* Not so for root, who can, and whose user must be able to change. */
    if (geteuid() != 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        fail("PR_SET_NO_NEW_PRIVS");
    }
    int r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                    supervised ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0, &program);
    if (r < 0) {
        fail("seccomp");
    }
    return r;
}

/* Whether there is the text in what an argument points to. */
static int
has(pid_t pid, uint64_t address, const char *text)
{
    char seen[256];
    struct iovec to = { seen, sizeof(seen) - 1 }, from = { (void *) address, sizeof(seen) - 1 };
    if (*text == '\0') {
        return 1;
    }
    ssize_t n = process_vm_readv(pid, &to, 1, &from, 1, 0);
    /* Up to the end of its memory. */
    while (n < 0 && from.iov_len > 16) {
        from.iov_len /= 2;
        n = process_vm_readv(pid, &to, 1, &from, 1, 0);
    }
    return n > 0 && memmem(seen, n, text, strlen(text)) != NULL;
}

/* What landlock_create_ruleset(2) of a version answers; 1 where this kernel is to answer. */
static int
landlock(int version, const struct seccomp_notif *asked)
{
    if (asked->data.args[2] == 1) {
        return version;
    }
    uint64_t masks[3] = { 0, 0, 0 };
    size_t size = asked->data.args[1], known = version < 4 ? 8 : version < 6 ? 16 : 24;
    uint64_t files = (1 << 13) - 1;
    files |= version >= 2 ? 1 << 13 : 0;
    files |= version >= 3 ? 1 << 14 : 0;
    files |= version >= 5 ? 1 << 15 : 0;
    struct iovec to = { masks, sizeof(masks) };
    struct iovec from = { (void *) asked->data.args[0], size < sizeof(masks) ? size : sizeof(masks) };
    if (process_vm_readv(asked->pid, &to, 1, &from, 1, 0) < 0) {
        return -errno;
    }
    if (size > known) {
        return -E2BIG;
    }
    return (masks[0] & ~files) || (version < 4 && masks[1]) || (version < 6 && masks[2]) ? -EINVAL : 1;
}

static void
answer(int listener, const struct seccomp_notif *asked)
{
    struct seccomp_notif_resp is = { .id = asked->id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
    for (int i = 0; i < count; i++) {
        struct rule *r = &rules[i];
        if (r->kind == 'e' || r->call != asked->data.nr) {
            continue;
        }
        if (r->kind == 'l') {
            int result = landlock(r->version, asked);
            if (asked->data.args[2] == 1 || result < 0) {
                is.flags = 0;
                is.val = result < 0 ? 0 : result;
                is.error = result < 0 ? result : 0;
            }
        } else if (has(asked->pid, asked->data.args[r->arg], r->text) && --r->nth == 0) {
            if (r->kind == 'k') {
                fprintf(stderr, "outer: killed\n");
                kill(asked->pid, SIGKILL);
                return;
            }
            close(open(r->file, O_CREAT | O_WRONLY, 0644));
            while (access(r->file, F_OK) == 0) {
                usleep(1000);
            }
        }
    }
    /* Fails where the process has ended. */
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &is);
}

static void
forward(int signal)
{
    kill(child, signal);
}

static int
supervise(int listener)
{
    int status;
    while (waitpid(child, &status, WNOHANG) == 0) {
        struct pollfd ready = { listener, POLLIN, 0 };
        struct seccomp_notif asked;
        if (poll(&ready, 1, 5) != 1 || !(ready.revents & POLLIN)) {
            if (ready.revents & POLLHUP) {
                usleep(5000);
            }
            continue;
        }
        memset(&asked, 0, sizeof(asked));
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) == 0) {
            answer(listener, &asked);
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int
main(int argc, char **argv)
{
    int at = 1, supervised = 0;
    for (; at < argc && strcmp(argv[at], "--") != 0; count++) {
        struct rule *r = &rules[count];
        const char *kind = argv[at++];
        int wanted = *kind == 'e' || *kind == 'h' ? 5 : *kind == 'k' ? 4 : 1;
        if (count == RULES || argc - at <= wanted) {
            fprintf(stderr, "outer: RULE... -- PROGRAM ARGUMENT...\n");
            return 99;
        }
        r->kind = *kind;
        r->call = *kind == 'l' ? SYS_landlock_create_ruleset : number(argv[at]);
        if (*kind == 'l') {
            r->version = atoi(argv[at]);
        } else {
            r->arg = atoi(argv[at + 1]);
        }
        if (*kind == 'e') {
            r->mask = strtoul(argv[at + 2], NULL, 0);
            r->value = strtoul(argv[at + 3], NULL, 0);
            r->error = atoi(argv[at + 4]);
        } else if (*kind != 'l') {
            r->nth = atoi(argv[at + 2]);
            r->text = argv[at + 3];
            r->file = wanted == 5 ? argv[at + 4] : NULL;
        }
        supervised |= *kind != 'e';
        at += wanted;
    }
    if (at + 1 >= argc) {
        fprintf(stderr, "outer: no program\n");
        return 99;
    }
    char **program = &argv[at + 1];
    if (!supervised) {
        filter(0);
        execvp(program[0], program);
        fail(program[0]);
    }
    /* A child with the same table of descriptors, until it executes the program. */
    volatile int *listener =
        mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (listener == MAP_FAILED) {
        fail("mmap");
    }
    *listener = -1;
    child = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    if (child < 0) {
        fail("clone");
    }
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        *listener = filter(1);
        execvp(program[0], program);
        fail(program[0]);
    }
    while (*listener < 0) {
        if (waitpid(child, NULL, WNOHANG) != 0) {
            return 99;
        }
        usleep(100);
    }
    signal(SIGTERM, forward);
    signal(SIGHUP, forward);
    return supervise(*listener);
}
