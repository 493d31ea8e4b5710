
/*
 * Copyright (C) Peekpass authors
 *
 * What an intake does in its turn: messages received, their senders checked,
 * their descriptors adopted one after the other.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_peekpass.h>


/* until it is tried again, while something is short */
#define NGX_PEEKPASS_PAUSE       50

/* what the kernel begins with, for where there is no /proc */
#define NGX_PEEKPASS_OVERFLOW_ID 65534


static ngx_int_t ngx_peekpass_receive_message(ngx_peekpass_intake_t *in);
static ngx_int_t ngx_peekpass_recvmsg(ngx_peekpass_intake_t *in, size_t *size,
    struct ucred *cred, int *flags);
static void ngx_peekpass_take_control(ngx_peekpass_intake_t *in,
    struct msghdr *msg, struct ucred *cred);
static ngx_int_t ngx_peekpass_check_sender(ngx_peekpass_intake_t *in,
    struct ucred *cred);
static uint32_t ngx_peekpass_read_overflow(const char *name);


static ngx_uid_t  ngx_peekpass_uid;
static ngx_uid_t  ngx_peekpass_overflow_uid;
static ngx_gid_t  ngx_peekpass_overflow_gid;


/* closes what the intake holds, and ends its timer */

void
ngx_peekpass_clear(ngx_peekpass_intake_t *in)
{
    if (in->pos < in->last) {
        ngx_peekpass_close(in, &in->fds[in->pos], in->last - in->pos);
    }

    in->pos = 0;
    in->last = 0;

    if (in->retry.timer_set) {
        ngx_del_timer(&in->retry);
    }
}


/*
 * Takes connections until there are no more (NGX_AGAIN), the budget is spent
 * (NGX_OK), something is short (NGX_BUSY, retry is set), no more will come
 * (NGX_DONE), or there was an error (NGX_ERROR).
 */

ngx_int_t
ngx_peekpass_receive(ngx_peekpass_intake_t *in, ngx_int_t budget)
{
    ngx_int_t  rc;

    for ( ;; ) {

        while (in->pos < in->last) {

            if (ngx_peekpass_has_connections(in, 1) != NGX_OK
                || ngx_peekpass_adopt(in, in->fds[in->pos]) == NGX_BUSY)
            {
                return ngx_peekpass_pause(in);
            }

            in->pos++;
            budget--;
        }

        if (in->received && in->pl->method == NGX_PEEKPASS_ONCE) {
            return NGX_DONE;
        }

        if (budget <= 0) {
            return NGX_OK;
        }

        if (ngx_peekpass_has_connections(in, 1) != NGX_OK
            || ngx_peekpass_has_room(in, in->pl->batch) != NGX_OK)
        {
            return ngx_peekpass_pause(in);
        }

        rc = ngx_peekpass_receive_message(in);

        if (rc != NGX_OK) {
            return rc;
        }

        /* also a message without a descriptor takes time */
        budget -= (in->last == 0);
    }
}


ngx_int_t
ngx_peekpass_pause(ngx_peekpass_intake_t *in)
{
    if (!in->retry.timer_set) {
        ngx_add_timer(&in->retry, NGX_PEEKPASS_PAUSE);
    }

    return NGX_BUSY;
}


ngx_int_t
ngx_peekpass_has_connections(ngx_peekpass_intake_t *in, ngx_uint_t n)
{
    if (ngx_cycle->free_connection_n + ngx_cycle->reusable_connections_n
        >= n)
    {
        return NGX_OK;
    }

    if (ngx_peekpass_may_complain(in, NGX_PEEKPASS_NO_CONNECTIONS)) {
        ngx_log_error(NGX_LOG_WARN, &in->log, 0,
                      "peekpass: %ui worker_connections are not enough, "
                      "passed connections wait", ngx_cycle->connection_n);
    }

    return NGX_BUSY;
}


/*
 * Receives one message into the intake, which holds no descriptors.  On
 * NGX_OK it may still hold none.
 */

static ngx_int_t
ngx_peekpass_receive_message(ngx_peekpass_intake_t *in)
{
    int           flags;
    size_t        size;
    ngx_int_t     rc;
    struct ucred  cred;

    rc = ngx_peekpass_recvmsg(in, &size, &cred, &flags);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_peekpass_take_room(in->last);

    if (in->pl->method == NGX_PEEKPASS_DATAGRAM) {

        if (ngx_peekpass_check_sender(in, &cred) != NGX_OK) {
            ngx_peekpass_clear(in);
            return NGX_OK;
        }

    } else if (size == 0 && in->last == 0) {
        return NGX_DONE;
    }

    if (flags & MSG_CTRUNC) {

        if (ngx_peekpass_may_complain(in, NGX_PEEKPASS_TRUNCATED)) {
            ngx_log_error(NGX_LOG_ALERT, &in->log, 0,
                          "peekpass: descriptors of a message were lost "
                          "(MSG_CTRUNC), %ui came: raise "
                          "worker_rlimit_nofile, and set \"batch=\" as the "
                          "proxy's", in->last);
        }

    } else if (in->last == 0) {

        if (ngx_peekpass_may_complain(in, NGX_PEEKPASS_NO_DESCRIPTOR)) {
            ngx_log_error(NGX_LOG_ERR, &in->log, 0,
                          "peekpass: a message without a descriptor, %uz bytes",
                          size);
        }
    }

    in->received = 1;

    return NGX_OK;
}


/*
 * One recvmsg(): on NGX_OK the descriptors are the intake's, cred is the
 * sender's if the socket has SO_PASSCRED, else nobody's.
 */

static ngx_int_t
ngx_peekpass_recvmsg(ngx_peekpass_intake_t *in, size_t *size,
    struct ucred *cred, int *flags)
{
    u_char         buf[64];
    ssize_t        n;
    ngx_err_t      err;
    ngx_uint_t     level, tight;
    struct iovec   iov[1];
    struct msghdr  msg;

    union {
        struct cmsghdr  align;
        u_char          space[CMSG_SPACE(sizeof(int) * NGX_PEEKPASS_MAX_FDS)
                              + CMSG_SPACE(sizeof(struct ucred))];
    } control;

    in->pos = 0;
    in->last = 0;

    /* what does not fit is closed by the kernel, in recvmsg() */

    tight = ngx_peekpass_is_tight();

    if (tight) {
        ngx_peekpass_begin_close(&in->log);
    }

    do {
        iov[0].iov_base = buf;
        iov[0].iov_len = sizeof(buf);

        ngx_memzero(&msg, sizeof(struct msghdr));

        msg.msg_iov = iov;
        msg.msg_iovlen = 1;
        msg.msg_control = &control;
        msg.msg_controllen = sizeof(control);

        n = recvmsg(in->connection->fd, &msg, MSG_CMSG_CLOEXEC|MSG_DONTWAIT);

        err = (n == -1) ? ngx_socket_errno : 0;

    } while (err == NGX_EINTR);

    if (tight) {
        ngx_peekpass_end_close(&in->log);
    }

    if (err == NGX_EAGAIN) {
        return NGX_AGAIN;
    }

    if (err) {
        level = (err == NGX_ECONNRESET) ? NGX_LOG_INFO : NGX_LOG_ALERT;
        ngx_log_error(level, &in->log, err, "peekpass: recvmsg() failed");
        return NGX_ERROR;
    }

    ngx_peekpass_take_control(in, &msg, cred);

    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, &in->log, 0,
                   "peekpass recvmsg: %z bytes, %ui descriptors", n, in->last);

    *size = n;
    *flags = msg.msg_flags;

    return NGX_OK;
}


static void
ngx_peekpass_take_control(ngx_peekpass_intake_t *in, struct msghdr *msg,
    struct ucred *cred)
{
    size_t           size;
    struct cmsghdr  *cmsg;

    cred->pid = 0;
    cred->uid = (uid_t) -1;
    cred->gid = (gid_t) -1;

    for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {

        if (cmsg->cmsg_level != SOL_SOCKET) {
            continue;
        }

        if (cmsg->cmsg_type == SCM_RIGHTS) {
            /* the kernel makes one control message of all that came */
            size = cmsg->cmsg_len - CMSG_LEN(0);
            in->last = size / sizeof(int);
            ngx_memcpy(in->fds, CMSG_DATA(cmsg), size);

        } else if (cmsg->cmsg_type == SCM_CREDENTIALS) {
            ngx_memcpy(cred, CMSG_DATA(cmsg), sizeof(struct ucred));
        }
    }
}


/* of a datagram: each message has a sender of its own */

static ngx_int_t
ngx_peekpass_check_sender(ngx_peekpass_intake_t *in, struct ucred *cred)
{
    if (ngx_peekpass_allowed(in->pl, cred) == NGX_OK) {
        return NGX_OK;
    }

    ngx_peekpass_refuse_peer(in, cred, "a message of ");

    return NGX_DECLINED;
}


/* says who may not pass connections, and what to do if that is the proxy */

void
ngx_peekpass_refuse_peer(ngx_peekpass_intake_t *in, struct ucred *cred,
    const char *what)
{
    if (!ngx_peekpass_may_complain(in, NGX_PEEKPASS_BAD_PEER)) {
        return;
    }

    if (ngx_peekpass_is_nobody(cred->uid)) {
        ngx_log_error(NGX_LOG_ERR, &in->log, 0,
                      "peekpass: refused %spid %P of uid %ud, which stands "
                      "for every user that has no number here, as of another "
                      "user namespace, and can not be allowed: if that is "
                      "the proxy, run it as a user of its own",
                      what, cred->pid, (uint32_t) cred->uid);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, &in->log, 0,
                  "peekpass: refused %spid %P of uid %ud and gid %ud, "
                  "which may not pass connections: if that is the "
                  "proxy, add \"peer_uid=%ud\" to \"peekpass %V\"",
                  what, cred->pid, (uint32_t) cred->uid, (uint32_t) cred->gid,
                  (uint32_t) cred->uid, &in->pl->name);
}


/* in the master process, and in each process as the user that it stays */

void
ngx_peekpass_init_allowed(void)
{
    ngx_peekpass_uid = geteuid();
    ngx_peekpass_overflow_uid = ngx_peekpass_read_overflow("overflowuid");
    ngx_peekpass_overflow_gid = ngx_peekpass_read_overflow("overflowgid");
}


/*
 * Whether a uid is of nobody in particular: the overflow uid stands for all
 * that this user namespace has no number for, and for senders that are not
 * known; -1 for none.
 */

ngx_uint_t
ngx_peekpass_is_nobody(ngx_uid_t uid)
{
    return uid == ngx_peekpass_overflow_uid || uid == (ngx_uid_t) -1;
}


ngx_uint_t
ngx_peekpass_is_no_group(ngx_gid_t gid)
{
    return gid == ngx_peekpass_overflow_gid || gid == (ngx_gid_t) -1;
}


static uint32_t
ngx_peekpass_read_overflow(const char *name)
{
    u_char     text[NGX_INT32_LEN], path[sizeof("/proc/sys/kernel/") + 16];
    ssize_t    n;
    ngx_fd_t   fd;
    ngx_int_t  id;

    ngx_sprintf(path, "/proc/sys/kernel/%s%Z", name);

    fd = ngx_open_file(path, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        return NGX_PEEKPASS_OVERFLOW_ID;
    }

    n = ngx_read_fd(fd, text, sizeof(text));

    (void) ngx_close_file(fd);

    while (n > 0 && text[n - 1] == LF) {
        n--;
    }

    id = (n > 0) ? ngx_atoi(text, n) : NGX_ERROR;

    return (id == NGX_ERROR) ? NGX_PEEKPASS_OVERFLOW_ID : (uint32_t) id;
}


/* whether its process may pass connections to this socket */

ngx_int_t
ngx_peekpass_allowed(ngx_peekpass_listen_t *pl, struct ucred *cred)
{
    ngx_uid_t   *uid;
    ngx_gid_t   *gid;
    ngx_uint_t   i;

    if (ngx_peekpass_is_nobody(cred->uid)) {
        return NGX_DECLINED;
    }

    if (cred->uid == 0 || cred->uid == ngx_peekpass_uid) {
        return NGX_OK;
    }

    uid = pl->uids.elts;

    for (i = 0; i < pl->uids.nelts; i++) {
        if (uid[i] == cred->uid) {
            return NGX_OK;
        }
    }

    if (ngx_peekpass_is_no_group(cred->gid)) {
        return NGX_DECLINED;
    }

    gid = pl->gids.elts;

    for (i = 0; i < pl->gids.nelts; i++) {
        if (gid[i] == cred->gid) {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}
